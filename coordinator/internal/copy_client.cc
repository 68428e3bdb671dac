#include "coordinator/internal/copy_client.h"

#include <algorithm>
#include <cstdio>

#include "base/error.h"
#include "wire/frame.h"
#include "wire/reader.h"

namespace pgmosaic::coordinator {

namespace {

/// PostgreSQL's bounds: 1 GB less a byte for what carries data, 10,000 bytes for the rest.
constexpr std::uint32_t kCopyMessageMax = 0x3FFFFFFF;
constexpr std::uint32_t kOtherMessageMax = 10000;

Error violation(std::string message, std::string severity = "ERROR") {
    return Error{.code = sqlstate::kProtocolViolation, .message = std::move(message), .severity = std::move(severity)};
}

void check_length(std::string_view header) {
    const std::uint32_t length = wire::read_uint32(header.data() + 1);
    const bool large = header[0] == 'd';
    if (length >= 4 && length <= (large ? kCopyMessageMax : kOtherMessageMax)) return;
    // Where the next message begins cannot be known any more.
    throw PgError(violation("invalid message length", "FATAL"));
}

}  // namespace

Task<> CopyClient::wait(std::size_t want) {
    co_await client_.flush();
    co_await client_.stream().fill(want);
}

Task<> CopyClient::wait_for_frame() {
    auto& input = client_.stream().input();
    while (input.unread().size() < wire::kHeaderBytes) co_await wait(0);
    check_length(input.unread());
    if (input.unread()[0] == 'd') co_return;
    while (input.unread().size() < wire::frame_bytes(input.unread())) {
        co_await wait(wire::frame_bytes(input.unread()) - input.unread().size());
    }
}

Task<CopyClient::Piece> CopyClient::next() {
    auto& input = client_.stream().input();
    while (true) {
        if (data_left_ > 0) {
            if (input.empty()) co_await wait(0);
            piece_ = std::min(data_left_, input.unread().size());
            co_return Piece{What::kData, input.unread().substr(0, piece_)};
        }
        co_await wait_for_frame();
        const char type = input.unread()[0];
        if (type == 'd') {
            data_left_ = wire::read_uint32(input.unread().data() + 1) - 4;
            input.consume(wire::kHeaderBytes);
        } else if (type == 'H' || type == 'S') {
            input.consume(wire::frame_bytes(input.unread()));  // they mean nothing before the end of the COPY
        } else {
            co_return take_control();
        }
    }
}

CopyClient::Piece CopyClient::take_control() {
    auto& input = client_.stream().input();
    const wire::Frame frame = *wire::next_frame(input.unread());
    const char type = frame.type;
    if (type == 'f') reason_ = wire::Reader(frame.body).cstring();
    input.consume(frame.whole.size());
    if (type == 'c') return {What::kDone};
    if (type == 'f') return {What::kFail, reason_};
    char text[8];
    std::snprintf(text, sizeof text, "0x%02X", static_cast<unsigned char>(type));
    throw PgError(violation(std::string("unexpected message type ") + text + " during COPY from stdin"));
}

void CopyClient::used() {
    client_.stream().input().consume(piece_);
    data_left_ -= piece_;
    piece_ = 0;
}

Task<> CopyClient::leave() {
    piece_ = 0;
    auto& input = client_.stream().input();
    while (data_left_ > 0) {
        if (input.empty()) co_await wait(0);
        const std::size_t part = std::min(data_left_, input.unread().size());
        input.consume(part);
        data_left_ -= part;
    }
}

}  // namespace pgmosaic::coordinator

#include "coordinator/internal/copy_target.h"

#include <boost/system/system_error.hpp>

namespace pgmosaic::coordinator {

void CopyTarget::start(std::string_view sql) {
    backend::Connection& connection = participant_.connection();
    connection.unreplicated_notice = false;
    wire::write_query(connection.out(), sql);
    unsent_start_ = connection.out().size();
}

void CopyTarget::take(const wire::Frame& frame) {
    switch (frame.type) {
        case 'G':
            response_ = frame.whole;
            answered_ = true;
            break;
        case 'E': {
            Error error = wire::read_error(frame.body);
            // The server ends the session with it: the client's own session goes on.
            if (error.severity != "ERROR") lost_ = participant_.connection().broken = true;
            else if (!error_) error_ = std::move(error);
            answered_ = true;
            break;
        }
        case 'N': session_.client().out() += frame.whole; break;
        case 'C':
            if (participant_.ready_to_skip == 0) tag_ = wire::Reader(frame.body).cstring();
            break;
        case 'Z':
            if (participant_.ready_to_skip > 0) --participant_.ready_to_skip;
            else done_ = answered_ = true;
            break;
        default: break;
    }
}

Task<> CopyTarget::until_answered() {
    backend::Connection& connection = participant_.connection();
    unsent_start_ = 0;
    try {
        co_await connection.write();
        while (!answered_) {
            const wire::Frame frame = co_await connection.next();
            take(frame);
            connection.consume(frame);
        }
    } catch (const backend::ConnectionLost&) {
        lost_ = answered_ = true;
    }
}

Task<> CopyTarget::until_ready() {
    backend::Connection& connection = participant_.connection();
    try {
        while (!done_) {
            const wire::Frame frame = co_await connection.next();
            take(frame);
            connection.consume(frame);
        }
    } catch (const backend::ConnectionLost&) {
        lost_ = true;
    }
}

// ---------------------------------------------------------------- sending

void CopyTarget::end_frame() {
    if (frame_at_ == kNone) return;
    std::string& out = participant_.connection().out();
    const auto length = static_cast<std::uint32_t>(out.size() - frame_at_ - 1);
    for (int i = 0; i < 4; ++i) out[frame_at_ + 1 + static_cast<std::size_t>(i)] = static_cast<char>(length >> (24 - 8 * i));
    frame_at_ = kNone;
}

void CopyTarget::add(std::string_view bytes) {
    std::string& out = participant_.connection().out();
    while (!bytes.empty()) {
        if (frame_at_ == kNone) {
            frame_at_ = out.size();
            out.append("d\0\0\0\0", wire::kHeaderBytes);
        }
        const std::string_view piece = bytes.substr(0, kPieceBytes);
        out += piece;
        bytes.remove_prefix(piece.size());
        if (out.size() - frame_at_ >= kPieceBytes) end_frame();
    }
}

Task<> CopyTarget::flush() {
    end_frame();
    if (participant_.connection().out().empty() || ended()) co_return;
    unsent_start_ = 0;
    try {
        co_await participant_.connection().write();
    } catch (const backend::ConnectionLost&) {
        lost_ = true;
    }
}

Task<> CopyTarget::finish() {
    end_frame();
    wire::write_empty(participant_.connection().out(), 'c');
    return flush();
}

Task<> CopyTarget::fail(std::string_view reason) {
    // A shard that has not been told of the COPY yet must hear of it: BEGIN may go before it.
    participant_.connection().out().resize(unsent_start_);
    frame_at_ = kNone;
    wire::FrameWriter(participant_.connection().out(), 'f').cstring(reason);
    return flush();
}

void CopyTarget::cut() {
    participant_.connection().broken = true;
    participant_.connection().stream().shutdown();
}

std::optional<Error> CopyTarget::error() const {
    if (!error_) return std::nullopt;
    Error error = *error_;
    error.context = with_client_line(error.context, lines_);
    return error;
}

}  // namespace pgmosaic::coordinator

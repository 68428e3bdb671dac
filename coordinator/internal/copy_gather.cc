#include "coordinator/internal/copy_gather.h"

#include <algorithm>

#include "wire/messages.h"
#include "wire/reader.h"

namespace pgmosaic::coordinator {

namespace {

/// Signature, flags and an extension length of 0: what a server writes in front of a binary COPY.
constexpr std::size_t kBinaryHeadBytes = 19;
constexpr std::string_view kBinaryTrailer = "\xff\xff";

}  // namespace

void CopyGather::begin(int skip) {
    if (begun_) first_shard_ = false;
    begun_ = true;
    first_message_ = true;
    done_ = false;
    skip_ = skip;
}

std::size_t CopyGather::take(std::string_view data, std::string& out, const std::function<void(const wire::Frame&)>& note) {
    std::size_t taken = 0;
    want_ = 0;
    while (!done_ && taken < data.size()) {
        const std::string_view rest = data.substr(taken);
        if (piece_left_ > 0) {
            taken += pass(rest, piece_left_, out, piece_forward_);
            continue;
        }
        const std::size_t bytes = wire::frame_bytes(rest);
        if (bytes == 0) break;
        if (rest[0] == 'd') {
            const std::size_t used = take_data(rest, bytes, out);
            if (used == 0) break;
            taken += used;
            continue;
        }
        if (rest.size() < bytes) {
            want_ = bytes - rest.size();
            break;
        }
        const wire::Frame frame = *wire::next_frame(rest);
        note(frame);
        take_other(frame, out);
        taken += bytes;
    }
    return taken;
}

/// The part of a message that is there.
std::size_t CopyGather::pass(std::string_view data, std::size_t bytes, std::string& out, bool forward) {
    const std::size_t part = std::min(bytes, data.size());
    if (forward) out += data.substr(0, part);
    piece_left_ = bytes - part;
    piece_forward_ = forward;
    return part;
}

std::size_t CopyGather::take_data(std::string_view data, std::size_t bytes, std::string& out) {
    if (format_ == planner::Copy::Format::kBinary) return take_binary(data, bytes, out);
    const bool repeated_header = header_ && first_message_ && !first_shard_;
    first_message_ = false;
    return pass(data, bytes, out, !repeated_header);
}

std::size_t CopyGather::take_binary(std::string_view data, std::size_t bytes, std::string& out) {
    const std::size_t head = first_message_ ? kBinaryHeadBytes : 0;
    // Enough to tell a tuple from the trailer.
    const std::size_t needed = std::min(bytes, wire::kHeaderBytes + head + kBinaryTrailer.size());
    if (bytes < wire::kHeaderBytes + head) {
        throw PgError(Error{.code = sqlstate::kProtocolViolation, .message = "unexpected COPY data from a shard"});
    }
    if (data.size() < needed) {
        want_ = needed - data.size();
        return 0;
    }
    if (first_message_ && first_shard_) wire::FrameWriter(out, 'd').bytes(data.substr(wire::kHeaderBytes, head));
    first_message_ = false;
    const std::size_t start = wire::kHeaderBytes + head;
    const std::size_t left = bytes - start;
    if (left == 0) return start;
    if (left == kBinaryTrailer.size() && data.substr(start, left) == kBinaryTrailer) return bytes;
    out += 'd';
    wire::put_int32(out, static_cast<std::int64_t>(left + 4));
    return start + pass(data.substr(start), left, out, true);
}

void CopyGather::take_other(const wire::Frame& frame, std::string& out) {
    switch (frame.type) {
        case 'H':
            if (!answered_) out += frame.whole;
            answered_ = true;
            break;
        case 'N': out += frame.whole; break;
        case 'E':
            if (!error_) error_ = wire::read_error(frame.body);
            break;
        case 'C':
            if (skip_ == 0) rows_ += wire::tag_rows(wire::Reader(frame.body).cstring());
            break;
        case 'Z':
            if (skip_ > 0) --skip_;
            else done_ = true;
            break;
        default: break;  // CopyDone is said once, by end()
    }
}

void CopyGather::end(std::string& out) const {
    if (format_ == planner::Copy::Format::kBinary) wire::FrameWriter(out, 'd').bytes(kBinaryTrailer);
    wire::write_empty(out, 'c');
}

}  // namespace pgmosaic::coordinator

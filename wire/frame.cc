#include "wire/frame.h"

namespace pgmosaic::wire {

void put_int16(std::string& out, std::int32_t value) {
    const char bytes[2] = {static_cast<char>(value >> 8), static_cast<char>(value)};
    out.append(bytes, 2);
}

void put_int32(std::string& out, std::int64_t value) {
    const char bytes[4] = {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
                           static_cast<char>(value)};
    out.append(bytes, 4);
}

FrameWriter& FrameWriter::int16(std::int32_t value) {
    put_int16(out_, value);
    return *this;
}

FrameWriter& FrameWriter::int32(std::int64_t value) {
    put_int32(out_, value);
    return *this;
}

void FrameWriter::end() {
    if (ended_) return;
    ended_ = true;
    const auto length = static_cast<std::uint32_t>(out_.size() - start_);
    for (std::size_t i = 0; i < 4; ++i) out_[start_ + i] = static_cast<char>(length >> (24 - 8 * i));
}

}  // namespace pgmosaic::wire

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgmosaic::wire {

/// One message as it lies in a buffer.
///
///   offset 0  type, 1 byte · offset 1  length, 4 bytes, itself included · offset 5  body
struct Frame {
    char type = 0;
    std::string_view body{};
    std::string_view whole{};  ///< header and body
};

inline constexpr std::size_t kHeaderBytes = 5;

inline std::uint32_t read_uint32(const char* p) {
    const auto* b = reinterpret_cast<const unsigned char*>(p);
    return (std::uint32_t{b[0]} << 24) | (std::uint32_t{b[1]} << 16) | (std::uint32_t{b[2]} << 8) | b[3];
}

inline std::uint16_t read_uint16(const char* p) {
    const auto* b = reinterpret_cast<const unsigned char*>(p);
    return static_cast<std::uint16_t>((b[0] << 8) | b[1]);
}

/// Bytes that the message at the start of `buffer` has altogether; 0 while its header is not complete. The length word is
/// not judged here.
inline std::size_t frame_bytes(std::string_view buffer) {
    return buffer.size() < kHeaderBytes ? 0 : std::size_t{1} + read_uint32(buffer.data() + 1);
}

/// The message at the start of `buffer`, if it is there completely.
inline std::optional<Frame> next_frame(std::string_view buffer) {
    const std::size_t bytes = frame_bytes(buffer);
    if (bytes < kHeaderBytes || buffer.size() < bytes) return std::nullopt;
    return Frame{buffer[0], buffer.substr(kHeaderBytes, bytes - kHeaderBytes), buffer.substr(0, bytes)};
}

/// Appends one message to a buffer; the length is set by the destructor or by end().
class FrameWriter {
   public:
    FrameWriter(std::string& out, char type) : out_(out), start_(out.size() + 1) {
        out_ += type;
        out_.append(4, '\0');
    }
    FrameWriter(const FrameWriter&) = delete;
    FrameWriter& operator=(const FrameWriter&) = delete;
    ~FrameWriter() { end(); }

    FrameWriter& int8(std::uint8_t value) { out_ += static_cast<char>(value); return *this; }
    FrameWriter& int16(std::int32_t value);
    FrameWriter& int32(std::int64_t value);
    FrameWriter& bytes(std::string_view value) { out_ += value; return *this; }
    FrameWriter& cstring(std::string_view value) { out_ += value; out_ += '\0'; return *this; }
    void end();

   private:
    std::string& out_;
    std::size_t start_;
    bool ended_ = false;
};

void put_int16(std::string& out, std::int32_t value);
void put_int32(std::string& out, std::int64_t value);

}  // namespace pgmosaic::wire

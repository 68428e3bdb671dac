#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace pgmosaic::wire {

/// Takes a message body apart; what is not there ends the session with 08P01, as in PostgreSQL.
///
/// Lifetime  borrows the body; strings are views into it
/// Errors    throws PgError 08P01
class Reader {
   public:
    explicit Reader(std::string_view body) : rest_(body) {}

    std::uint8_t byte() { return static_cast<std::uint8_t>(take(1)[0]); }
    std::int16_t int16() {
        const std::string_view b = take(2);
        return static_cast<std::int16_t>((at(b, 0) << 8) | at(b, 1));
    }
    std::int32_t int32() {
        const std::string_view b = take(4);
        return static_cast<std::int32_t>((at(b, 0) << 24) | (at(b, 1) << 16) | (at(b, 2) << 8) | at(b, 3));
    }
    std::string_view bytes(std::size_t count) { return take(count); }
    /// Up to the terminating zero.
    std::string_view cstring() {
        const std::size_t end = rest_.find('\0');
        if (end == std::string_view::npos) fail("invalid string in message");
        const std::string_view text = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return text;
    }
    std::string_view rest() const { return rest_; }
    bool empty() const { return rest_.empty(); }
    void expect_end() const {
        if (!rest_.empty()) fail("invalid message format");
    }

   private:
    static std::uint32_t at(std::string_view b, std::size_t i) { return static_cast<std::uint8_t>(b[i]); }
    [[noreturn]] static void fail(const char* message) {
        throw PgError(Error{.code = sqlstate::kProtocolViolation, .message = message});
    }
    std::string_view take(std::size_t count) {
        if (rest_.size() < count) fail("insufficient data left in message");
        const std::string_view head = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return head;
    }

    std::string_view rest_;
};

}  // namespace pgmosaic::wire

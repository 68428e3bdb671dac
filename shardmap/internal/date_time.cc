#include "shardmap/internal/date_time.h"

#include <chrono>
#include <limits>

namespace pgmosaic::shardmap {

namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr int kOffsetHoursMax = 15;  // MAX_TZDISP_HOUR

/// Takes a text apart from the front; once something does not fit, `ok` stays false.
struct Reader {
    std::string_view rest;
    bool ok = true;

    int number(std::size_t digits, int max) {
        if (rest.size() < digits) return fail();
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            if (rest[i] < '0' || rest[i] > '9') return fail();
            value = value * 10 + (rest[i] - '0');
        }
        rest.remove_prefix(digits);
        return value <= max ? value : fail();
    }

    bool take(char c) {
        if (rest.empty() || rest.front() != c) return false;
        rest.remove_prefix(1);
        return true;
    }

    void expect(char c) {
        if (!take(c)) fail();
    }

    int fail() {
        ok = false;
        return 0;
    }
};

std::int32_t read_days(Reader& reader) {
    using namespace std::chrono;
    const int y = reader.number(4, 9999);
    reader.expect('-');
    const int m = reader.number(2, 12);
    reader.expect('-');
    const int d = reader.number(2, 31);
    const year_month_day date{year{y}, month{static_cast<unsigned>(m)}, day{static_cast<unsigned>(d)}};
    if (!reader.ok || y == 0 || !date.ok()) return reader.fail();
    constexpr sys_days kEpoch{year{2000} / 1 / 1};
    return static_cast<std::int32_t>((sys_days{date} - kEpoch).count());
}

std::int64_t read_fraction(Reader& reader) {
    std::int64_t micros = 0;
    int digits = 0;
    for (; digits < 6 && !reader.rest.empty() && reader.rest.front() >= '0' && reader.rest.front() <= '9'; ++digits) {
        micros = micros * 10 + (reader.rest.front() - '0');
        reader.rest.remove_prefix(1);
    }
    if (digits == 0) reader.fail();
    for (; digits < 6; ++digits) micros *= 10;
    return micros;
}

std::int64_t read_time(Reader& reader) {
    const int hours = reader.number(2, 23);
    reader.expect(':');
    const int minutes = reader.number(2, 59);
    reader.expect(':');
    const int seconds = reader.number(2, 59);
    const std::int64_t fraction = reader.take('.') ? read_fraction(reader) : 0;
    return (hours * 3600 + minutes * 60 + seconds) * kMicrosPerSecond + fraction;
}

std::int64_t read_offset_seconds(Reader& reader) {
    if (reader.take('Z')) return 0;
    const bool west = reader.take('-');
    if (!west) reader.expect('+');
    std::int64_t seconds = reader.number(2, kOffsetHoursMax) * 3600;
    if (reader.take(':')) {
        seconds += reader.number(2, 59) * 60;
        if (reader.take(':')) seconds += reader.number(2, 59);
    }
    return west ? -seconds : seconds;
}

template <class T>
std::optional<T> infinity(std::string_view text) {
    if (text == "infinity") return std::numeric_limits<T>::max();
    if (text == "-infinity") return std::numeric_limits<T>::min();
    return std::nullopt;
}

}  // namespace

std::optional<std::int32_t> parse_date(std::string_view text) {
    if (const auto value = infinity<std::int32_t>(text)) return value;
    Reader reader{text};
    const std::int32_t days = read_days(reader);
    if (!reader.ok || !reader.rest.empty()) return std::nullopt;
    return days;
}

std::optional<std::int64_t> parse_timestamp(std::string_view text) {
    if (const auto value = infinity<std::int64_t>(text)) return value;
    Reader reader{text};
    std::int64_t micros = read_days(reader) * kSecondsPerDay * kMicrosPerSecond;
    if (!reader.rest.empty()) {
        if (!reader.take('T')) reader.expect(' ');
        micros += read_time(reader);
    }
    if (!reader.ok || !reader.rest.empty()) return std::nullopt;
    return micros;
}

std::optional<std::int64_t> parse_timestamptz(std::string_view text) {
    if (const auto value = infinity<std::int64_t>(text)) return value;
    Reader reader{text};
    std::int64_t micros = read_days(reader) * kSecondsPerDay * kMicrosPerSecond;
    if (!reader.take('T')) reader.expect(' ');
    micros += read_time(reader);
    micros -= read_offset_seconds(reader) * kMicrosPerSecond;
    if (!reader.ok || !reader.rest.empty()) return std::nullopt;
    return micros;
}

}  // namespace pgmosaic::shardmap

#include "shardmap/hash.h"

#include <algorithm>
#include <array>
#include <boost/container/small_vector.hpp>
#include <charconv>
#include <cstring>
#include <limits>
#include <type_traits>

#include "shardmap/internal/date_time.h"
#include "shardmap/internal/decimal.h"
#include "shardmap/internal/hash_bytes.h"

namespace pgmosaic::shardmap {

namespace {

constexpr std::int32_t kTypmodHeader = 4;  // VARHDRSZ, added to the modifiers of varchar, char and numeric

template <class Unsigned>
std::int64_t big_endian(std::string_view bytes) {
    Unsigned value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    if constexpr (sizeof value == 2) value = __builtin_bswap16(value);
    if constexpr (sizeof value == 4) value = __builtin_bswap32(value);
    if constexpr (sizeof value == 8) value = __builtin_bswap64(value);
    return static_cast<std::make_signed_t<Unsigned>>(value);
}

int nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// Two hexadecimal digits to a byte; -1 if they are not.
int hex_byte(const char* digits) {
    const int high = nibble(digits[0]);
    const int low = nibble(digits[1]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

std::optional<std::uint64_t> hash_uuid_text(std::string_view text) {
    constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (text.size() != kShape.size()) return std::nullopt;
    std::array<char, 16> bytes{};
    std::size_t at = 0;
    for (char& byte : bytes) {
        if (kShape[at] == '-' && text[at++] != '-') return std::nullopt;
        const int value = hex_byte(text.data() + at);
        if (value < 0) return std::nullopt;
        byte = static_cast<char>(value);
        at += 2;
    }
    return hash_bytes({bytes.data(), bytes.size()}, kPartitionSeed);
}

std::optional<std::uint64_t> hash_bytea_text(std::string_view text) {
    if (text.size() < 2 || text.size() % 2 != 0 || text[0] != '\\' || text[1] != 'x') return std::nullopt;
    boost::container::small_vector<char, 256> bytes;
    for (std::size_t at = 2; at < text.size(); at += 2) {
        const int value = hex_byte(text.data() + at);
        if (value < 0) return std::nullopt;
        bytes.push_back(static_cast<char>(value));
    }
    return hash_bytes({bytes.data(), bytes.size()}, kPartitionSeed);
}

// A string longer than its column is refused by every shard, unless all that is too much is blanks: those are cut, which
// changes the value. Bytes are never fewer than characters.
bool fits(std::string_view text, std::int32_t typmod) {
    if (typmod < kTypmodHeader || text.size() <= static_cast<std::size_t>(typmod - kTypmodHeader)) return true;
    return text.back() != ' ';
}

std::optional<std::uint64_t> hash_text(std::string_view text, std::int32_t typmod) {
    if (!fits(text, typmod) || text.find('\0') != std::string_view::npos) return std::nullopt;
    return hash_bytes(text, kPartitionSeed);
}

std::optional<std::uint64_t> hash_bpchar(std::string_view text, std::int32_t typmod) {
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return hash_text(text, typmod);
}

std::optional<std::uint64_t> hash_integer_value(std::optional<std::int64_t> value) {
    if (!value) return std::nullopt;
    return hash_integer<kPartitionSeed>(*value);
}

// timestamp(p) rounds: only a value that has no more decimals is stored as it is.
std::optional<std::uint64_t> hash_timestamp(std::optional<std::int64_t> micros, std::int32_t typmod) {
    constexpr std::array<std::int64_t, 7> kStep{1'000'000, 100'000, 10'000, 1'000, 100, 10, 1};
    if (!micros) return std::nullopt;
    const bool infinite = *micros == std::numeric_limits<std::int64_t>::max() ||
                          *micros == std::numeric_limits<std::int64_t>::min();
    if (!infinite && typmod >= 0 && typmod <= 6 && *micros % kStep[static_cast<std::size_t>(typmod)] != 0) return std::nullopt;
    return hash_integer<kPartitionSeed>(*micros);
}

// A numeric's modifier is precision << 16 | scale (11 bits, signed), plus the header.
std::optional<std::uint64_t> hash_numeric(const std::optional<Decimal>& value, std::int32_t typmod) {
    if (!value) return std::nullopt;
    if (typmod >= kTypmodHeader && !value->special) {
        const int scale = (((typmod - kTypmodHeader) & 0x7ff) ^ 1024) - 1024;
        if (scale < 0 || value->fraction_digits > scale) return std::nullopt;
    }
    return value->hash(kPartitionSeed);
}

std::optional<std::uint64_t> hash_of_text(KeyFamily family, std::string_view text, std::int32_t typmod) {
    switch (family) {
        case KeyFamily::kInteger: return std::nullopt;  // took the short way
        case KeyFamily::kText: return hash_text(text, typmod);
        case KeyFamily::kBpchar: return hash_bpchar(text, typmod);
        case KeyFamily::kUuid: return hash_uuid_text(text);
        case KeyFamily::kDate: return hash_integer_value(parse_date(text));
        case KeyFamily::kTimestamp: return hash_timestamp(parse_timestamp(text), typmod);
        case KeyFamily::kTimestamptz: return hash_timestamp(parse_timestamptz(text), typmod);
        case KeyFamily::kBytea: return hash_bytea_text(text);
        case KeyFamily::kNumeric: return hash_numeric(decimal_of_text(text), typmod);
    }
    return std::nullopt;
}

std::optional<std::uint64_t> hash_of_binary(KeyFamily family, std::string_view bytes, std::int32_t typmod) {
    switch (family) {
        case KeyFamily::kInteger: return std::nullopt;  // took the short way
        case KeyFamily::kText: return hash_text(bytes, typmod);
        case KeyFamily::kBpchar: return hash_bpchar(bytes, typmod);
        case KeyFamily::kUuid:
            if (bytes.size() != 16) return std::nullopt;
            return hash_bytes(bytes, kPartitionSeed);
        case KeyFamily::kDate:
            if (bytes.size() != 4) return std::nullopt;
            return hash_integer<kPartitionSeed>(big_endian<std::uint32_t>(bytes));
        case KeyFamily::kTimestamp:
        case KeyFamily::kTimestamptz:
            if (bytes.size() != 8) return std::nullopt;
            return hash_timestamp(big_endian<std::uint64_t>(bytes), typmod);
        case KeyFamily::kBytea: return hash_bytes(bytes, kPartitionSeed);
        case KeyFamily::kNumeric: return hash_numeric(decimal_of_binary(bytes), typmod);
    }
    return std::nullopt;
}

std::optional<Bucket> to_bucket(std::optional<std::uint64_t> hash) {
    if (!hash) return std::nullopt;
    return bucket_of_hash(*hash);
}

}  // namespace

std::optional<std::uint64_t> extended_hash(Oid key_type, std::string_view binary_value) {
    std::int64_t integer = 0;
    if (detail::read_integer(key_type, binary_value, integer)) return hash_integer<kPartitionSeed>(integer);
    const auto family = key_family(key_type);
    if (!family) return std::nullopt;
    return hash_of_binary(*family, binary_value, -1);
}

Bucket bucket_of_integer(std::int64_t value) { return bucket_of_hash(hash_integer<kPartitionSeed>(value)); }

namespace detail {

// Eighteen digits fit whatever they are; the nineteenth is left to the library.
bool read_integer(std::string_view text, std::int64_t& value) {
    const bool negative = !text.empty() && text.front() == '-';
    const std::string_view digits = text.substr(negative ? 1 : 0);
    if (digits.empty() || (digits.front() == '0' && text.size() > 1)) return false;
    if (digits.size() > 18) {
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        return error == std::errc{} && end == text.data() + text.size();
    }
    std::int64_t sum = 0;
    for (char c : digits) {
        const unsigned digit = static_cast<unsigned char>(c) - unsigned{'0'};
        if (digit > 9) return false;
        sum = sum * 10 + digit;
    }
    value = negative ? -sum : sum;
    return true;
}

bool read_integer(Oid type, std::string_view bytes, std::int64_t& value) {
    if (type == kInt8Oid && bytes.size() == 8) {
        value = big_endian<std::uint64_t>(bytes);
    } else if (type == kInt4Oid && bytes.size() == 4) {
        value = big_endian<std::uint32_t>(bytes);
    } else if (type == kInt2Oid && bytes.size() == 2) {
        value = big_endian<std::uint16_t>(bytes);
    } else {
        return false;
    }
    return true;
}

std::optional<Bucket> bucket_of_other_text(Oid key_type, std::string_view text, std::int32_t typmod) {
    const auto family = key_family(key_type);
    if (!family) return std::nullopt;
    return to_bucket(hash_of_text(*family, text, typmod));
}

std::optional<Bucket> bucket_of_other_binary(Oid key_type, Oid value_type, std::string_view bytes, std::int32_t typmod) {
    const auto family = key_family(key_type);
    if (!family || key_family(value_type == 0 ? key_type : value_type) != family) return std::nullopt;
    return to_bucket(hash_of_binary(*family, bytes, typmod));
}

}  // namespace detail

}  // namespace pgmosaic::shardmap

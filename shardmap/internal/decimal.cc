#include "shardmap/internal/decimal.h"

#include <algorithm>

#include "shardmap/internal/hash_bytes.h"

namespace pgmosaic::shardmap {

namespace {

constexpr int kDecimalsPerDigit = 4;
constexpr std::size_t kTextBytesMax = 1000;  // PostgreSQL allows 147,455; nobody shards by such numbers

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Drops zero digits at both ends; what is left decides the hash and the number of decimals behind the point.
void strip(Decimal& value) {
    auto& digits = value.digits;
    while (!digits.empty() && digits.back() == 0) digits.pop_back();
    const auto first = std::find_if(digits.begin(), digits.end(), [](std::int16_t digit) { return digit != 0; });
    value.weight -= static_cast<int>(first - digits.begin());
    digits.erase(digits.begin(), first);
    value.fraction_digits = 0;
    if (digits.empty()) return;
    const int behind_point = static_cast<int>(digits.size()) - 1 - value.weight;
    if (behind_point <= 0) return;
    value.fraction_digits = behind_point * kDecimalsPerDigit;
    for (int last = digits.back(); last % 10 == 0; last /= 10) --value.fraction_digits;
}

// Cuts decimal digits into groups of four; `lead` zeros are thought before the first one.
void append_groups(Decimal& value, std::string_view decimals, std::size_t lead) {
    std::int16_t group = 0;
    std::size_t filled = lead;
    for (char c : decimals) {
        group = static_cast<std::int16_t>(group * 10 + (c - '0'));
        if (++filled < kDecimalsPerDigit) continue;
        value.digits.push_back(group);
        group = 0;
        filled = 0;
    }
    if (filled == 0) return;
    for (; filled < kDecimalsPerDigit; ++filled) group = static_cast<std::int16_t>(group * 10);
    value.digits.push_back(group);
}

std::uint16_t word_at(std::string_view bytes, std::size_t index) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[2 * index]) << 8 |
                                      static_cast<unsigned char>(bytes[2 * index + 1]));
}

}  // namespace

std::uint64_t Decimal::hash(std::uint64_t seed) const {
    if (special) return seed;
    if (digits.empty()) return seed - 1;
    const std::string_view bytes(reinterpret_cast<const char*>(digits.data()), digits.size() * sizeof digits[0]);
    return hash_bytes(bytes, seed) ^ static_cast<std::uint64_t>(static_cast<std::int64_t>(weight));
}

std::optional<Decimal> decimal_of_text(std::string_view text) {
    Decimal value;
    if (text == "NaN" || text == "Infinity" || text == "-Infinity") {
        value.special = true;
        return value;
    }
    if (text.size() > kTextBytesMax) return std::nullopt;
    if (!text.empty() && text.front() == '-') text.remove_prefix(1);
    const std::size_t point = text.find('.');
    const std::string_view whole = text.substr(0, point);
    if (!all_digits(whole) || (whole.size() > 1 && whole.front() == '0')) return std::nullopt;
    const std::size_t groups = (whole.size() + kDecimalsPerDigit - 1) / kDecimalsPerDigit;
    value.weight = static_cast<int>(groups) - 1;
    append_groups(value, whole, groups * kDecimalsPerDigit - whole.size());
    if (point != std::string_view::npos) {
        const std::string_view fraction = text.substr(point + 1);
        if (!all_digits(fraction)) return std::nullopt;
        append_groups(value, fraction, 0);
    }
    strip(value);
    return value;
}

std::optional<Decimal> decimal_of_binary(std::string_view bytes) {
    constexpr std::size_t kHeaderWords = 4;
    if (bytes.size() < 2 * kHeaderWords || bytes.size() % 2 != 0) return std::nullopt;
    const std::size_t count = word_at(bytes, 0);
    const std::uint16_t sign = word_at(bytes, 2);
    const int display_scale = word_at(bytes, 3);
    if (bytes.size() != 2 * (kHeaderWords + count)) return std::nullopt;
    Decimal value;
    if (sign == 0xC000 || sign == 0xD000 || sign == 0xF000) {  // NaN, +Infinity, -Infinity
        value.special = true;
        return value;
    }
    if (sign != 0x0000 && sign != 0x4000) return std::nullopt;
    value.weight = static_cast<std::int16_t>(word_at(bytes, 1));
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint16_t digit = word_at(bytes, kHeaderWords + i);
        if (digit > 9999) return std::nullopt;
        value.digits.push_back(static_cast<std::int16_t>(digit));
    }
    strip(value);
    // The server truncates to the display scale; a value that would change is not judged here.
    if (value.fraction_digits > display_scale) return std::nullopt;
    return value;
}

}  // namespace pgmosaic::shardmap

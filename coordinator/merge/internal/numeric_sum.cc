#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"
#include "coordinator/merge/internal/bytes.h"
#include "coordinator/merge/internal/numeric.h"

namespace pgmosaic::merge {
namespace {

using Big = boost::multiprecision::cpp_int;

constexpr int kBase = 10000;
constexpr int kDigitsOfGroup = 4;
constexpr int kSmallGroups =
    9;  // 10,000 ^ 9 = 10 ^ 36 fits 127 bits, with room for a hundred additions
constexpr int kSmallDigits = 38;        // 10 ^ 38 is the largest power of ten in 127 bits
constexpr int kSignificantDigits = 16;  // numeric.c: NUMERIC_MIN_SIG_DIGITS
constexpr int kScaleMax = 1000;         // numeric.c: NUMERIC_MAX_DISPLAY_SCALE
constexpr int kWeightMax = 32767;

constexpr std::array<Int128, kSmallDigits + 1> powers_of_ten() {
    std::array<Int128, kSmallDigits + 1> powers{};
    powers[0] = 1;
    for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
    return powers;
}
constexpr auto kPowers = powers_of_ten();

Big big_power(int exponent) {
    return boost::multiprecision::pow(Big(10), static_cast<unsigned>(exponent));
}

// cpp_int has no constructor from the compiler's own type under every setting of pedantic.
Big to_big(Int128 value) {
    Uint128 magnitude = value < 0 ? -static_cast<Uint128>(value) : static_cast<Uint128>(value);
    Big big = static_cast<std::uint64_t>(magnitude >> 64);
    big <<= 64;
    big += static_cast<std::uint64_t>(magnitude);
    return value < 0 ? Big(-big) : big;
}

struct Digits {
    bool negative = false;
    std::vector<std::uint16_t> groups{};  // most significant first, no zeros at either end
    int weight = 0;
};

// `groups` is least significant first and counts 10,000 ^ -fraction_groups.
Digits normalise(bool negative, std::vector<std::uint16_t> groups, int fraction_groups) {
    while (!groups.empty() && groups.back() == 0) groups.pop_back();
    Digits digits;
    digits.negative = negative && !groups.empty();
    digits.weight = groups.empty() ? 0 : static_cast<int>(groups.size()) - 1 - fraction_groups;
    std::reverse(groups.begin(), groups.end());
    while (!groups.empty() && groups.back() == 0) groups.pop_back();
    digits.groups = std::move(groups);
    return digits;
}

Digits digits_of(Int128 value, int fraction_groups) {
    constexpr Uint128 kChunk =
        10'000'000'000'000'000;  // four groups: the rest is 64-bit arithmetic
    Uint128 left = value < 0 ? -static_cast<Uint128>(value) : static_cast<Uint128>(value);
    std::vector<std::uint16_t> groups;
    groups.reserve(kSmallGroups + 3);
    while (left != 0) {
        auto chunk = static_cast<std::uint64_t>(left % kChunk);
        left /= kChunk;
        for (int i = 0; i < 4; ++i, chunk /= kBase) {
            groups.push_back(static_cast<std::uint16_t>(chunk % kBase));
        }
    }
    return normalise(value < 0, std::move(groups), fraction_groups);
}

Digits digits_of(const Big& value, int fraction_groups) {
    std::string text = Big(abs(value)).str();
    std::vector<std::uint16_t> groups;
    for (std::size_t end = text.size(); end > 0;) {
        std::size_t begin = end > kDigitsOfGroup ? end - kDigitsOfGroup : 0;
        int group = 0;
        for (std::size_t i = begin; i < end; ++i) group = group * 10 + (text[i] - '0');
        groups.push_back(static_cast<std::uint16_t>(group));
        end = begin;
    }
    return normalise(value < 0, std::move(groups), fraction_groups);
}

void encode(const Digits& digits, int dscale, std::string& out) {
    if (digits.weight > kWeightMax) {
        throw PgError(Error{.code = sqlstate::kNumericValueOutOfRange,
                            .message = "value overflows numeric format"});
    }
    append(static_cast<std::uint16_t>(digits.groups.size()), out);
    append(static_cast<std::int16_t>(digits.weight), out);
    append(static_cast<std::uint16_t>(digits.negative ? 0x4000 : 0), out);
    append(static_cast<std::uint16_t>(dscale), out);
    for (std::uint16_t group : digits.groups) append(group, out);
}

void encode_special(std::uint16_t sign, std::string& out) {
    append(std::uint16_t{0}, out);
    append(std::uint16_t{0}, out);
    append(sign, out);
    append(std::uint16_t{0}, out);
}

// Digits that are missing for whole groups after the point.
int padding(int scale) {
    return (kDigitsOfGroup - scale % kDigitsOfGroup) % kDigitsOfGroup;
}

int groups_for(int scale) {
    return (scale + kDigitsOfGroup - 1) / kDigitsOfGroup;
}

}  // namespace

void NumericSum::add_special(NumericView::Kind kind) {
    nan_ |= kind == NumericView::Kind::kNan;
    infinity_ |= kind == NumericView::Kind::kInfinity;
    minus_infinity_ |= kind == NumericView::Kind::kMinusInfinity;
}

NumericSum::Big& NumericSum::widen() {
    if (!big_) big_ = std::make_unique<Big>(to_big(small_));
    return *big_;
}

void NumericSum::rescale(int fraction_groups) {
    int digits = (fraction_groups - fraction_groups_) * kDigitsOfGroup;
    fraction_groups_ = fraction_groups;
    if (!big_ && small_ == 0) return;
    Int128 scaled = 0;
    if (!big_ && digits <= kSmallDigits &&
        !__builtin_mul_overflow(small_, kPowers[static_cast<std::size_t>(digits)], &scaled)) {
        small_ = scaled;
        return;
    }
    widen() *= big_power(digits);
}

void NumericSum::add_small(Int128 value) {
    if (!big_ && !__builtin_add_overflow(small_, value, &small_)) return;
    // On overflow `small_` holds the wrapped sum: take the value back before it is widened.
    if (!big_)
        small_ = static_cast<Int128>(static_cast<Uint128>(small_) - static_cast<Uint128>(value));
    widen() += to_big(value);
}

void NumericSum::add(std::int64_t value) {
    if (fraction_groups_ == 0) return add_small(value);
    Int128 scaled = 0;
    int digits = fraction_groups_ * kDigitsOfGroup;
    if (digits <= kSmallDigits &&
        !__builtin_mul_overflow(Int128{value}, kPowers[static_cast<std::size_t>(digits)],
                                &scaled)) {
        return add_small(scaled);
    }
    widen() += Big(value) * big_power(digits);
}

void NumericSum::add(const NumericView& value) {
    if (value.kind != NumericView::Kind::kFinite) return add_special(value.kind);
    dscale_ = std::max(dscale_, value.dscale);
    if (value.zero()) return;
    int fraction_groups = std::max(0, value.groups - 1 - value.weight);
    if (fraction_groups > fraction_groups_) rescale(fraction_groups);
    int shift = fraction_groups_ - (value.groups - 1 - value.weight);
    if (value.groups + shift <= kSmallGroups) {
        Int128 magnitude = 0;
        for (int i = 0; i < value.groups; ++i) magnitude = magnitude * kBase + value.group(i);
        magnitude *= kPowers[static_cast<std::size_t>(shift * kDigitsOfGroup)];
        return add_small(value.negative ? -magnitude : magnitude);
    }
    Big magnitude = 0;
    for (int i = 0; i < value.groups; ++i) magnitude = magnitude * kBase + value.group(i);
    magnitude *= big_power(shift * kDigitsOfGroup);
    if (value.negative) magnitude = -magnitude;
    widen() += magnitude;
}

bool NumericSum::special(std::string& out) const {
    if (nan_ || (infinity_ && minus_infinity_)) {
        encode_special(0xC000, out);
        return true;
    }
    if (infinity_ || minus_infinity_) encode_special(infinity_ ? 0xD000 : 0xF000, out);
    return infinity_ || minus_infinity_;
}

void NumericSum::sum(std::string& out) const {
    if (special(out)) return;
    encode(big_ ? digits_of(*big_, fraction_groups_) : digits_of(small_, fraction_groups_), dscale_,
           out);
}

int NumericSum::quotient_scale(std::int64_t count) const {
    Digits dividend =
        big_ ? digits_of(*big_, fraction_groups_) : digits_of(small_, fraction_groups_);
    Digits divisor = digits_of(Int128{count}, 0);
    int first = dividend.groups.empty() ? 0 : dividend.groups.front();
    int weight = dividend.weight - divisor.weight;
    if (first <= divisor.groups.front()) --weight;
    int scale = std::max({kSignificantDigits - weight * kDigitsOfGroup, dscale_, 0});
    return std::min(scale, kScaleMax);
}

void NumericSum::average(std::int64_t count, std::string& out) const {
    if (special(out)) return;
    int scale = quotient_scale(count);
    if (big_ || !divide_small(count, scale, out)) divide_big(count, scale, out);
}

// quotient = small × 10 ^ scale / (count × 10 ^ fraction digits), rounded half away from zero as
// div_var does.
bool NumericSum::divide_small(std::int64_t count, int scale, std::string& out) const {
    int exponent = scale - fraction_groups_ * kDigitsOfGroup;
    if (std::abs(exponent) > kSmallDigits) return false;
    Int128 dividend = small_;
    Int128 divisor = count;
    Int128& factor = exponent >= 0 ? dividend : divisor;
    if (__builtin_mul_overflow(factor, kPowers[static_cast<std::size_t>(std::abs(exponent))],
                               &factor)) {
        return false;
    }
    Int128 quotient = dividend / divisor;
    Int128 rest = dividend % divisor;
    Int128 rest_magnitude = rest < 0 ? -rest : rest;
    if (rest_magnitude >= divisor - rest_magnitude) quotient += dividend < 0 ? -1 : 1;
    if (__builtin_mul_overflow(quotient, kPowers[static_cast<std::size_t>(padding(scale))],
                               &quotient)) {
        return false;
    }
    encode(digits_of(quotient, groups_for(scale)), scale, out);
    return true;
}

void NumericSum::divide_big(std::int64_t count, int scale, std::string& out) const {
    Big dividend = big_ ? *big_ : to_big(small_);
    Big divisor = count;
    int exponent = scale - fraction_groups_ * kDigitsOfGroup;
    (exponent >= 0 ? dividend : divisor) *= big_power(std::abs(exponent));
    bool negative = dividend < 0;
    dividend = abs(dividend);
    Big quotient = (2 * dividend + divisor) / (2 * divisor);
    quotient *= big_power(padding(scale));
    if (negative) quotient = -quotient;
    encode(digits_of(quotient, groups_for(scale)), scale, out);
}

}  // namespace pgmosaic::merge

#include "coordinator/merge/internal/numeric.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "coordinator/merge/internal/bytes.h"

namespace pgmosaic::merge {
namespace {

constexpr std::size_t kHeadBytes = 8;
constexpr int kGroupDigits = 4;
constexpr std::uint16_t kNegative = 0x4000;
constexpr std::uint16_t kNan = 0xC000;
constexpr std::uint16_t kInfinity = 0xD000;
constexpr std::uint16_t kMinusInfinity = 0xF000;

[[noreturn]] void malformed() {
    throw PgError(Error{.code = sqlstate::kProtocolViolation,
                        .message = "invalid binary numeric from a shard"});
}

void read_sign(std::uint16_t sign, NumericView& view) {
    using Kind = NumericView::Kind;
    if (sign == kNegative) {
        view.negative = true;
    } else if (sign != 0) {
        view.kind = sign == kNan             ? Kind::kNan
                    : sign == kInfinity      ? Kind::kInfinity
                    : sign == kMinusInfinity ? Kind::kMinusInfinity
                                             : (malformed(), Kind::kNan);
    }
}

void strip_zeros(NumericView& view) {
    while (view.groups > 0 && view.group(0) == 0) {
        view.at += sizeof(std::uint16_t);
        --view.groups;
        --view.weight;
    }
    while (view.groups > 0 && view.group(view.groups - 1) == 0) --view.groups;
    if (view.groups == 0) {
        view.weight = 0;
        view.negative = false;
    }
}

// Of finite values without their signs.
int compare_magnitude(const NumericView& a, const NumericView& b) {
    if (a.zero() || b.zero()) return static_cast<int>(b.zero()) - static_cast<int>(a.zero());
    if (a.weight != b.weight) return a.weight < b.weight ? -1 : 1;
    int common = std::min(a.groups, b.groups);
    for (int i = 0; i < common; ++i) {
        if (a.group(i) != b.group(i)) return a.group(i) < b.group(i) ? -1 : 1;
    }
    return a.groups == b.groups ? 0 : a.groups < b.groups ? -1 : 1;
}

// Four digits of the group at decimal weight `weight`, zeros where the value has none.
void append_group(const NumericView& value, int weight, std::string& out) {
    int index = value.weight - weight;
    int group = index >= 0 && index < value.groups ? value.group(index) : 0;
    std::array<char, kGroupDigits> digits{};
    for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, group /= 10) {
        *digit = static_cast<char>('0' + group % 10);
    }
    out.append(digits.data(), digits.size());
}

void append_integer_part(const NumericView& value, std::string& out) {
    if (value.zero() || value.weight < 0) {
        out.push_back('0');
        return;
    }
    std::size_t begin = out.size();
    for (int weight = value.weight; weight >= 0; --weight) append_group(value, weight, out);
    out.erase(begin, out.find_first_not_of('0', begin) - begin);
}

void append_fraction(const NumericView& value, std::string& out) {
    if (value.dscale == 0) return;
    out.push_back('.');
    std::size_t end = out.size() + static_cast<std::size_t>(value.dscale);
    for (int weight = -1; out.size() < end; --weight) append_group(value, weight, out);
    out.resize(end);
}

}  // namespace

int NumericView::group(int index) const {
    return load<std::uint16_t>(at + static_cast<std::size_t>(index) * sizeof(std::uint16_t));
}

NumericView NumericView::parse(std::string_view binary) {
    if (binary.size() < kHeadBytes) malformed();
    NumericView view;
    view.groups = load<std::uint16_t>(binary.data());
    view.weight = load<std::int16_t>(binary.data() + 2);
    read_sign(load<std::uint16_t>(binary.data() + 4), view);
    view.dscale = load<std::uint16_t>(binary.data() + 6);
    view.at = binary.data() + kHeadBytes;
    if (binary.size() != kHeadBytes + static_cast<std::size_t>(view.groups) * 2) malformed();
    for (int i = 0; i < view.groups; ++i) {
        if (view.group(i) > 9999) malformed();
    }
    strip_zeros(view);
    return view;
}

int compare(const NumericView& a, const NumericView& b) {
    if (a.kind != b.kind) return a.kind < b.kind ? -1 : 1;
    if (a.kind != NumericView::Kind::kFinite) return 0;
    if (a.negative != b.negative) return a.negative ? -1 : 1;
    int order = compare_magnitude(a, b);
    return a.negative ? -order : order;
}

// From the top: 3 bits of kind and sign, 17 bits of weight, 3 groups of 14 bits; the lower 61
// turned round for negatives.
std::uint64_t prefix(const NumericView& value) {
    constexpr std::uint64_t kKindShift = 61;
    constexpr std::uint64_t kLow = (std::uint64_t{1} << kKindShift) - 1;
    constexpr int kWeightBias = 1 << 16;
    using Kind = NumericView::Kind;
    if (value.kind == Kind::kMinusInfinity) return 0;
    if (value.kind == Kind::kInfinity) return std::uint64_t{5} << kKindShift;
    if (value.kind == Kind::kNan) return std::uint64_t{6} << kKindShift;
    if (value.zero()) return std::uint64_t{3} << kKindShift;
    auto low = static_cast<std::uint64_t>(value.weight + kWeightBias) << 42;
    for (int i = 0; i < std::min(value.groups, 3); ++i) {
        low |= static_cast<std::uint64_t>(value.group(i)) << (28 - 14 * i);
    }
    return value.negative ? (std::uint64_t{1} << kKindShift) | (~low & kLow)
                          : (std::uint64_t{4} << kKindShift) | low;
}

void append_text(const NumericView& value, std::string& out) {
    switch (value.kind) {
        case NumericView::Kind::kNan:
            out += "NaN";
            return;
        case NumericView::Kind::kInfinity:
            out += "Infinity";
            return;
        case NumericView::Kind::kMinusInfinity:
            out += "-Infinity";
            return;
        case NumericView::Kind::kFinite:
            break;
    }
    if (value.negative) out.push_back('-');
    append_integer_part(value, out);
    append_fraction(value, out);
}

}  // namespace pgmosaic::merge

#pragma once

#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace pgmosaic::merge {

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

/// A numeric in PostgreSQL's binary format, without leading and trailing zero groups.
///
///     offset  bytes
///     0       2      number of groups (base 10,000 digits)
///     2       2      weight: the first group counts 10,000 ^ weight
///     4       2      sign: 0x0000, 0x4000, 0xC000 NaN, 0xD000 Infinity, 0xF000 -Infinity
///     6       2      dscale: decimal digits shown after the point
///     8       2 each groups, most significant first
struct NumericView {
    enum class Kind : std::uint8_t { kMinusInfinity, kFinite, kInfinity, kNan };  // in their order
    Kind kind = Kind::kFinite;
    bool negative = false;
    int weight = 0;
    int dscale = 0;
    int groups = 0;
    const char* at = nullptr;

    int group(int index) const;
    bool zero() const { return groups == 0; }
    /// Errors: 08P01.
    static NumericView parse(std::string_view binary);
};

int compare(const NumericView& a, const NumericView& b);
/// In the order of the values; equal for some that differ.
std::uint64_t prefix(const NumericView& value);
/// As numeric_out prints it.
void append_text(const NumericView& value, std::string& out);

/// A running sum, exact. 128-bit integers while they suffice, then as long as needed.
///
/// Errors  22003 where PostgreSQL says that a value overflows the numeric format
/// Source  PostgreSQL 15, numeric.c: scale of a sum is the largest of its inputs; avg is sum /
/// count, its scale chosen by
///         select_div_scale: at least 16 significant digits
class NumericSum {
 public:
    void add(const NumericView& value);
    void add(std::int64_t value);
    /// Appends the binary format.
    void sum(std::string& out) const;
    void average(std::int64_t count, std::string& out) const;

 private:
    using Big = boost::multiprecision::cpp_int;

    void add_special(NumericView::Kind kind);
    void add_small(Int128 value);
    void rescale(int fraction_groups);
    Big& widen();
    bool special(std::string& out) const;
    int quotient_scale(std::int64_t count) const;
    bool divide_small(std::int64_t count, int scale, std::string& out) const;
    void divide_big(std::int64_t count, int scale, std::string& out) const;

    Int128 small_ = 0;  // used while `big_` is empty
    std::unique_ptr<Big> big_;
    int fraction_groups_ = 0;  // the integer counts 10,000 ^ -fraction_groups_
    int dscale_ = 0;
    bool nan_ = false;
    bool infinity_ = false;
    bool minus_infinity_ = false;
};

}  // namespace pgmosaic::merge

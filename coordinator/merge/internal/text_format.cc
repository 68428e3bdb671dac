#include "coordinator/merge/internal/text_format.h"

#include <algorithm>
#include <array>
#include <bit>
#include <boost/multiprecision/cpp_int.hpp>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "coordinator/merge/internal/bytes.h"
#include "coordinator/merge/internal/numeric.h"
#include "planner/merge_types.h"

namespace pgmosaic::merge {
namespace {

struct Decimal {
    std::string digits{};  // one before the point, no zeros at the end
    int exponent = 0;
};

Decimal parse_scientific(std::string_view text) {
    Decimal decimal;
    std::size_t e = text.find('e');
    for (char c : text.substr(0, e)) {
        if (c != '.') decimal.digits.push_back(c);
    }
    std::size_t begin = text[e + 1] == '+' ? e + 2 : e + 1;
    std::from_chars(text.data() + begin, text.data() + text.size(), decimal.exponent);
    decimal.digits.resize(decimal.digits.find_last_not_of('0') + 1);
    return decimal;
}

// Exactly halfway between `value` and a neighbour: a reader that breaks ties otherwise would not
// get `value` back, so PostgreSQL does not print it, while std::to_chars does.
template <class Float>
bool halfway(Float value, const Decimal& decimal) {
    using Big = boost::multiprecision::cpp_int;
    auto exact_half = [&](Float neighbour) {
        // 2 × decimal = value + neighbour, both sides scaled to integers.
        int exponent = 0;
        std::frexp(value, &exponent);
        int shift = std::max(0, std::numeric_limits<Float>::digits + 2 - exponent);
        auto scaled = [&](Float part) {
            int own = 0;
            Float fraction = std::frexp(part, &own);
            auto mantissa =
                static_cast<std::int64_t>(std::ldexp(fraction, std::numeric_limits<Float>::digits));
            Big big = mantissa;
            big <<= own - std::numeric_limits<Float>::digits + shift;
            return big;
        };
        Big sum = scaled(value) + scaled(neighbour);
        Big twice = Big(decimal.digits) * 2;
        twice <<= shift;
        int ten = decimal.exponent - static_cast<int>(decimal.digits.size()) + 1;
        Big power = boost::multiprecision::pow(Big(10), static_cast<unsigned>(std::abs(ten)));
        return ten >= 0 ? twice * power == sum : twice == sum * power;
    };
    constexpr Float kInfinity = std::numeric_limits<Float>::infinity();
    Float above = std::nextafter(value, kInfinity);
    return (above < kInfinity && exact_half(above)) || exact_half(std::nextafter(value, Float{0}));
}

// A cheap test that nearly always says no: with a longer mantissa a halfway point is a value of its
// own.
template <class Float>
bool maybe_halfway(Float value, const char* text) {
    long double exact = std::strtold(text, nullptr);
    auto here = static_cast<long double>(value);
    if (exact == here) return false;
    auto towards = exact > here ? std::numeric_limits<Float>::infinity() : Float{0};
    return exact - here == static_cast<long double>(std::nextafter(value, towards)) - exact;
}

template <class Float>
bool reads_back(Float value, const char* text) {
    Float read = 0;
    std::from_chars(text, text + std::strlen(text), read);
    return read == value;
}

template <class Float>
Decimal shortest(Float value) {
    std::array<char, 64> text{};
    auto print = [&](auto... precision) {
        auto end = std::to_chars(text.data(), text.data() + text.size() - 1, value,
                                 std::chars_format::scientific, precision...);
        *end.ptr = 0;
        return parse_scientific({text.data(), static_cast<std::size_t>(end.ptr - text.data())});
    };
    Decimal decimal = print();
    auto precision = static_cast<int>(decimal.digits.size());
    while (precision < std::numeric_limits<Float>::max_digits10 &&
           (!reads_back(value, text.data()) ||
            (maybe_halfway(value, text.data()) && halfway(value, decimal)))) {
        decimal = print(precision++);
    }
    return decimal;
}

void append_exponent(int exponent, std::string& out) {
    out += exponent < 0 ? "e-" : "e+";
    if (std::abs(exponent) < 10) out.push_back('0');
    out += std::to_string(std::abs(exponent));
}

void append_decimal(const Decimal& decimal, int exponent_max, std::string& out) {
    const auto& [digits, exponent] = decimal;
    auto size = static_cast<int>(digits.size());
    if (exponent < -4 || exponent >= exponent_max) {
        out.push_back(digits[0]);
        if (size > 1) out.append(".").append(digits, 1);
        append_exponent(exponent, out);
    } else if (exponent < 0) {
        out.append("0.").append(static_cast<std::size_t>(-exponent - 1), '0').append(digits);
    } else if (size <= exponent + 1) {
        out.append(digits).append(static_cast<std::size_t>(exponent + 1 - size), '0');
    } else {
        auto point = static_cast<std::size_t>(exponent + 1);
        out.append(digits, 0, point).append(".").append(digits, point);
    }
}

template <class Float>
void append_float(Float value, std::string& out) {
    if (std::isnan(value)) {
        out += "NaN";
        return;
    }
    if (std::signbit(value)) out.push_back('-');
    value = std::abs(value);
    if (std::isinf(value)) {
        out += "Infinity";
    } else if (value == 0) {
        out.push_back('0');
    } else {
        append_decimal(shortest(value), std::numeric_limits<Float>::digits10, out);
    }
}

template <class Int>
Int integer(std::string_view binary) {
    if (binary.size() != sizeof(Int)) {
        throw PgError(Error{.code = sqlstate::kProtocolViolation,
                            .message = "invalid binary value from a shard"});
    }
    return load<Int>(binary.data());
}

}  // namespace

void append_text(double value, std::string& out) {
    append_float(value, out);
}
void append_text(float value, std::string& out) {
    append_float(value, out);
}

void append_text(Oid oid, std::string_view binary, std::string& out) {
    namespace type = planner::type;
    switch (oid) {
        case type::kBool:
            out.push_back(integer<std::int8_t>(binary) != 0 ? 't' : 'f');
            return;
        case type::kInt2:
            out += std::to_string(integer<std::int16_t>(binary));
            return;
        case type::kInt4:
            out += std::to_string(integer<std::int32_t>(binary));
            return;
        case type::kInt8:
            out += std::to_string(integer<std::int64_t>(binary));
            return;
        case type::kFloat4:
            return append_text(std::bit_cast<float>(integer<std::uint32_t>(binary)), out);
        case type::kFloat8:
            return append_text(std::bit_cast<double>(integer<std::uint64_t>(binary)), out);
        case type::kNumeric:
            return append_text(NumericView::parse(binary), out);
        default:
            throw PgError(refusal("aggregates of this type cannot be combined"));
    }
}

}  // namespace pgmosaic::merge

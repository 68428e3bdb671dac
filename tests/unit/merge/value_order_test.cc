#include "coordinator/merge/internal/value_order.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "tests/unit/merge/rows.h"

namespace pgmosaic::merge {
namespace {

using testing::binary;
namespace type = planner::type;

// Checks all of compare, prefix and identity against positions in `ascending`; equal entries share
// a position.
void expect_order(Oid oid, const std::vector<std::vector<std::string>>& ascending,
                  const std::string& locale = {}) {
    ValueOrder order = ValueOrder::make(oid, locale);
    auto identity = [&](const std::string& value) {
        std::string out;
        order.append_identity(value, out);
        return out;
    };
    for (std::size_t i = 0; i < ascending.size(); ++i) {
        for (std::size_t j = 0; j < ascending.size(); ++j) {
            for (const std::string& left : ascending[i]) {
                for (const std::string& right : ascending[j]) {
                    int result = order.compare(left, right);
                    EXPECT_EQ((result > 0) - (result < 0), (i > j) - (i < j))
                        << oid << ": " << i << " " << j;
                    EXPECT_EQ(identity(left) == identity(right), i == j)
                        << oid << ": " << i << " " << j;
                    if (i >= j) continue;
                    EXPECT_LE(order.prefix(left), order.prefix(right))
                        << oid << ": " << i << " " << j;
                    EXPECT_FALSE(order.prefix_is_exact() &&
                                 order.prefix(left) == order.prefix(right));
                }
            }
        }
    }
}

template <class... Ints>
std::string bytes(Ints... values) {
    std::string out;
    (append(values, out), ...);
    return out;
}

TEST(ValueOrder, Integers) {
    expect_order(type::kInt2, {{*binary(std::int16_t{-32768})},
                               {*binary(std::int16_t{-1})},
                               {*binary(std::int16_t{0})},
                               {*binary(std::int16_t{7})}});
    expect_order(type::kInt4, {{*binary(INT32_MIN)},
                               {*binary(std::int32_t{-1})},
                               {*binary(std::int32_t{0})},
                               {*binary(INT32_MAX)}});
    expect_order(type::kInt8, {{*binary(INT64_MIN)},
                               {*binary(std::int64_t{-1})},
                               {*binary(std::int64_t{0})},
                               {*binary(INT64_MAX)}});
    expect_order(type::kOid,
                 {{*binary(std::uint32_t{0})}, {*binary(std::uint32_t{4'000'000'000})}});
    expect_order(type::kBool, {{std::string(1, 0)}, {std::string(1, 1)}});
}

TEST(ValueOrder, FloatsPutNanLastAndZerosTogether) {
    double infinity = std::numeric_limits<double>::infinity();
    expect_order(type::kFloat8, {{*binary(-infinity)},
                                 {*binary(-1.0)},
                                 {*binary(-1e-300)},
                                 {*binary(0.0), *binary(-0.0)},
                                 {*binary(5e-324)},
                                 {*binary(1.0)},
                                 {*binary(infinity)},
                                 {*binary(std::nan("")), *binary(-std::nan(""))}});
    expect_order(type::kFloat4, {{*binary(-1.0F)},
                                 {*binary(0.0F), *binary(-0.0F)},
                                 {*binary(1.0F)},
                                 {*binary(std::nanf(""))}});
}

TEST(ValueOrder, TextByBytesAndBpcharWithoutBlanks) {
    expect_order(type::kText,
                 {{""}, {" "}, {"B"}, {"a"}, {"a "}, {"aaaaaaaaa"}, {"aaaaaaaab"}, {"\xC3\xA4"}});
    expect_order(type::kBpchar, {{"", "  "}, {"a", "a   "}, {"a b"}, {"b"}});
    expect_order(type::kText, {{"A"}, {"a"}}, "C.utf8");
}

TEST(ValueOrder, IntervalsByTheirLength) {
    auto interval = [](std::int64_t microseconds, std::int32_t days, std::int32_t months) {
        return bytes(microseconds, days, months);
    };
    expect_order(type::kInterval, {{interval(0, 0, INT32_MIN)},
                                   {interval(-1, 0, 0)},
                                   {interval(0, 0, 0), interval(-86'400'000'000, 1, 0)},
                                   {interval(1, 0, 0)},
                                   {interval(0, 30, 0), interval(0, 0, 1)},
                                   {interval(INT64_MAX, INT32_MAX, INT32_MAX)}});
}

TEST(ValueOrder, TimeWithZoneByTheMomentThenTheZone) {
    constexpr std::int64_t kHour = 3'600'000'000;
    expect_order(type::kTimeTz, {{bytes(10 * kHour, std::int32_t{-7200})},
                                 {bytes(10 * kHour, std::int32_t{-3600})},
                                 {bytes(9 * kHour, std::int32_t{0})},
                                 {bytes(10 * kHour, std::int32_t{0})}});
}

TEST(ValueOrder, RefusesWhatItDoesNotKnow) {
    EXPECT_THROW(ValueOrder::make(114, {}), PgError);
    EXPECT_THROW(ValueOrder::make(type::kText, "no_SUCH.locale"), PgError);
    EXPECT_THROW(ValueOrder::make(type::kInt8, {}).prefix("abc"), PgError);
}

}  // namespace
}  // namespace pgmosaic::merge

#include "coordinator/merge/internal/aggregate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "base/error.h"
#include "tests/unit/merge/rows.h"

namespace pgmosaic::merge {
namespace {

using namespace testing;
using planner::Combine;
using planner::MergeSpec;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

// A single aggregate without groups over hidden columns; visible column 0 is what shards print.
Field combine(Combine how, Oid input_type, Oid output_type, const std::vector<Row>& partials,
              bool as_binary = false) {
    MergeSpec spec{.mode = MergeSpec::Mode::kAggregate, .visible = 1, .hidden = 2};
    bool extreme = how == Combine::kMin || how == Combine::kMax;
    spec.outputs = {{.combine = how,
                     .input = 1,
                     .input2 = static_cast<std::uint16_t>(extreme ? 0 : 2),
                     .input_type = input_type,
                     .output_type = output_type}};
    auto merger = Merger::make(spec, partials.size(), {{output_type, as_binary}}, {}, {});
    std::vector<std::vector<Row>> inputs;
    for (const Row& partial : partials) {
        Row row = partial;
        row.insert(row.begin(), extreme ? row[1] : Field("partial"));
        row.resize(3);
        inputs.push_back({row});
    }
    auto rows = run(*merger, inputs);
    EXPECT_EQ(rows.size(), 1U);
    return rows.at(0).at(0);
}

TEST(Aggregate, CountsNothingAsZero) {
    EXPECT_EQ(combine(Combine::kCount, type::kInt8, type::kInt8, {}), "0");
    EXPECT_EQ(combine(Combine::kSum, type::kInt8, type::kInt8, {}), std::nullopt);
    EXPECT_EQ(combine(Combine::kSum, type::kInt8, type::kInt8, {{std::nullopt}, {std::nullopt}}),
              std::nullopt);
}

TEST(Aggregate, AddsCountsAndSums) {
    std::vector<Row> partials = {
        {binary(std::int64_t{40})}, {binary(std::int64_t{2})}, {std::nullopt}};
    EXPECT_EQ(combine(Combine::kCount, type::kInt8, type::kInt8, partials), "42");
    EXPECT_EQ(combine(Combine::kSum, type::kInt8, type::kInt8, partials), "42");
    EXPECT_EQ(combine(Combine::kSum, type::kInt8, type::kInt8, partials, true),
              binary(std::int64_t{42}));
}

TEST(Aggregate, ReportsAnOverflowAsTheServerWould) {
    std::vector<Row> partials = {{binary(INT64_MAX)}, {binary(std::int64_t{1})}};
    try {
        combine(Combine::kSum, type::kInt8, type::kInt8, partials);
        FAIL();
    } catch (const PgError& error) {
        EXPECT_EQ(error.error().code, sqlstate::kNumericValueOutOfRange);
        EXPECT_EQ(error.error().message, "bigint out of range");
    }
    EXPECT_THROW(combine(Combine::kSum, type::kFloat8, type::kFloat8,
                         {{binary(1.7e308)}, {binary(1.7e308)}}),
                 PgError);
}

TEST(Aggregate, AddsNumericExactly) {
    std::vector<Row> partials = {{numeric("0.10")},
                                 {numeric("99999999999999999999999999999999999999.9")},
                                 {numeric("-0.005")}};
    EXPECT_EQ(combine(Combine::kSum, type::kNumeric, type::kNumeric, partials),
              "99999999999999999999999999999999999999.995");
    EXPECT_EQ(
        combine(Combine::kSum, type::kNumeric, type::kNumeric, {{numeric("1")}, {numeric("NaN")}}),
        "NaN");
    EXPECT_EQ(combine(Combine::kSum, type::kNumeric, type::kNumeric,
                      {{numeric("-Infinity")}, {numeric("1")}}),
              "-Infinity");
    EXPECT_EQ(combine(Combine::kSum, type::kNumeric, type::kNumeric,
                      {{numeric("-Infinity")}, {numeric("Infinity")}}),
              "NaN");
}

TEST(Aggregate, DividesAveragesLikeTheServer) {
    auto partial = [](std::int64_t sum, std::int64_t count) {
        return Row{binary(sum), binary(count)};
    };
    EXPECT_EQ(combine(Combine::kAvg, type::kInt8, type::kNumeric, {partial(10, 2), partial(0, 1)}),
              "3.3333333333333333");
    EXPECT_EQ(combine(Combine::kAvg, type::kInt8, type::kNumeric,
                      {{std::nullopt, binary(std::int64_t{0})}}),
              std::nullopt);
    EXPECT_EQ(
        combine(Combine::kAvg, type::kFloat8, type::kFloat8,
                {{binary(1.5), binary(std::int64_t{1})}, {binary(2.0), binary(std::int64_t{1})}}),
        "1.75");
}

TEST(Aggregate, ShowsExtremesAsTheirShardPrintedThem) {
    std::vector<Row> partials = {{binary(std::int32_t{-7}), "minus seven"},
                                 {binary(std::int32_t{5}), "five"},
                                 {std::nullopt, std::nullopt}};
    EXPECT_EQ(combine(Combine::kMin, type::kInt4, type::kInt4, partials), "minus seven");
    EXPECT_EQ(combine(Combine::kMax, type::kInt4, type::kInt4, partials), "five");
}

TEST(Aggregate, CombinesBooleansAndBits) {
    std::vector<Row> booleans = {
        {binary(std::int8_t{1})}, {binary(std::int8_t{0})}, {std::nullopt}};
    EXPECT_EQ(combine(Combine::kBoolAnd, type::kBool, type::kBool, booleans), "f");
    EXPECT_EQ(combine(Combine::kBoolOr, type::kBool, type::kBool, booleans), "t");
    std::vector<Row> bits = {{binary(std::int16_t{6})}, {binary(std::int16_t{3})}};
    EXPECT_EQ(combine(Combine::kBitAnd, type::kInt2, type::kInt2, bits), "2");
    EXPECT_EQ(combine(Combine::kBitOr, type::kInt2, type::kInt2, bits), "7");
}

TEST(Aggregate, RefusesSumsThatItCannotAdd) {
    EXPECT_THROW(combine(Combine::kSum, type::kMoney, type::kMoney, {}), PgError);
    EXPECT_THROW(combine(Combine::kSum, type::kInterval, type::kInterval, {}), PgError);
}

// g, count(*) | g, count(*)
MergeSpec grouped() {
    MergeSpec spec{.mode = MergeSpec::Mode::kAggregate, .visible = 2, .hidden = 2};
    spec.group_by = {{.column = 2, .type = type::kInt4}};
    spec.outputs = {{.combine = Combine::kGroupKey, .input = 0, .output_type = type::kInt4},
                    {.combine = Combine::kCount,
                     .input = 3,
                     .input_type = type::kInt8,
                     .output_type = type::kInt8}};
    return spec;
}
Row partial(std::optional<std::int32_t> key, std::int64_t count) {
    return {key ? Field(std::to_string(*key)) : std::nullopt, std::to_string(count),
            key ? binary(*key) : std::nullopt, binary(count)};
}
const std::vector<ColumnFormat> kText2 = {{type::kInt4, false}, {type::kInt8, false}};

TEST(Aggregate, KeepsGroupsApartAndNullIsAGroup) {
    auto merger = Merger::make(grouped(), 2, kText2, {}, {});
    auto rows = run(*merger, {{partial(1, 10), partial(std::nullopt, 1)},
                              {partial(1, 5), partial(2, 7), partial(std::nullopt, 2)}});
    EXPECT_THAT(rows, UnorderedElementsAre(Row{"1", "15"}, Row{"2", "7"}, Row{std::nullopt, "3"}));
}

TEST(Aggregate, YieldsNoRowWithoutGroups) {
    auto merger = Merger::make(grouped(), 2, kText2, {}, {});
    EXPECT_TRUE(run(*merger, {{}, {}}).empty());
    EXPECT_TRUE(merger->finished());
}

TEST(Aggregate, OrdersTheAnswerByResultsAndKeys) {
    auto spec = grouped();
    spec.order_output = {
        {.column = 1, .type = type::kInt8, .descending = true, .nulls_first = true},
        {.column = 2 + 2, .type = type::kInt4}};
    auto merger = Merger::make(spec, 2, kText2, 3, 1);
    auto rows = run(*merger, {{partial(1, 4), partial(2, 9), partial(5, 3)},
                              {partial(2, 1), partial(3, 4), partial(4, 4)}});
    EXPECT_THAT(rows, ElementsAre(Row{"1", "4"}, Row{"3", "4"}, Row{"4", "4"}));
}

TEST(Aggregate, EqualsAggregatingEverythingAtOnce) {
    EXPECT_TRUE(rc::check([](const std::vector<std::pair<std::uint8_t, std::int32_t>>& samples) {
        auto shards = static_cast<std::size_t>(*rc::gen::inRange(1, 5));
        std::map<int, std::int64_t> expected;
        std::vector<std::vector<Row>> inputs(shards);
        for (const auto& [key, value] : samples) {
            expected[key % 8] += value;
            inputs[*rc::gen::inRange<std::size_t>(0, shards)].push_back(partial(key % 8, value));
        }
        std::vector<Row> rows;
        for (const auto& [key, sum] : expected)
            rows.push_back({std::to_string(key), std::to_string(sum)});
        auto spec = grouped();
        spec.order_output = {{.column = 4, .type = type::kInt4}};
        auto merger = Merger::make(spec, shards, kText2, {}, {});
        RC_ASSERT(run(*merger, inputs) == rows);
    }));
}

}  // namespace
}  // namespace pgmosaic::merge

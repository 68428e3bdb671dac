#include "coordinator/merge/internal/sorted.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "base/error.h"
#include "tests/unit/merge/rows.h"

namespace pgmosaic::merge {
namespace {

using namespace testing;
using planner::MergeSpec;
using ::testing::ElementsAre;

// One visible column, keys hidden.
MergeSpec spec_of(std::vector<planner::SortKey> keys) {
    MergeSpec spec{.mode = MergeSpec::Mode::kSorted, .visible = 1};
    spec.hidden = static_cast<std::uint16_t>(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i)
        keys[i].column = static_cast<std::uint16_t>(i + 1);
    spec.order_by = std::move(keys);
    return spec;
}

std::vector<std::string> first_columns(const std::vector<Row>& rows) {
    std::vector<std::string> values;
    for (const Row& row : rows) values.push_back(row.at(0).value_or("null"));
    return values;
}

std::vector<Row> merge_rows(const MergeSpec& spec, const std::vector<std::vector<Row>>& inputs,
                            std::optional<std::int64_t> limit = {},
                            std::optional<std::int64_t> offset = {}) {
    auto merger = Merger::make(spec, inputs.size(), {{type::kText, false}}, limit, offset);
    auto rows = run(*merger, inputs);
    EXPECT_TRUE(merger->finished());
    EXPECT_EQ(merger->rows(), rows.size());
    return rows;
}

Row int_row(const std::string& name, std::int32_t key) {
    return {name, binary(key)};
}

TEST(Sorted, TakesTheSmallestKeyFirstAndCutsHiddenColumns) {
    auto rows =
        merge_rows(spec_of({{.type = type::kInt4}}),
                   {{int_row("a", -5), int_row("d", 9)}, {int_row("b", 0)}, {int_row("c", 3)}});
    EXPECT_THAT(rows, ElementsAre(Row{"a"}, Row{"b"}, Row{"c"}, Row{"d"}));
}

TEST(Sorted, PutsNullsWhereTheyBelong) {
    std::vector<std::vector<Row>> nulls_last = {{int_row("1", 1), {"n", std::nullopt}},
                                                {int_row("2", 2)}};
    EXPECT_THAT(first_columns(merge_rows(spec_of({{.type = type::kInt4}}), nulls_last)),
                ElementsAre("1", "2", "n"));
    std::vector<std::vector<Row>> nulls_first = {{{"n", std::nullopt}, int_row("1", 1)},
                                                 {int_row("2", 2)}};
    auto spec = spec_of({{.type = type::kInt4, .descending = true, .nulls_first = true}});
    EXPECT_THAT(first_columns(merge_rows(spec, nulls_first)), ElementsAre("n", "2", "1"));
}

TEST(Sorted, AppliesOffsetThenLimit) {
    std::vector<std::vector<Row>> inputs = {{int_row("1", 1), int_row("3", 3)},
                                            {int_row("2", 2), int_row("4", 4)}};
    EXPECT_THAT(first_columns(merge_rows(spec_of({{.type = type::kInt4}}), inputs, 2, 1)),
                ElementsAre("2", "3"));
    EXPECT_THAT(merge_rows(spec_of({{.type = type::kInt4}}), inputs, 0, {}), ElementsAre());
}

TEST(Sorted, WaitsForEveryInput) {
    auto merger = Merger::make(spec_of({{.type = type::kInt4}}), 2, {{type::kText, false}}, {}, {});
    std::string out;
    merger->row(0, body(int_row("a", 1)));
    merger->drain(out, 1000);
    EXPECT_TRUE(out.empty());
    merger->row(1, body(int_row("b", 2)));
    merger->drain(out, 1000);
    EXPECT_THAT(first_columns(frames(out)), ElementsAre("a"));
    merger->input_done(0);
    merger->drain(out, 1000);
    EXPECT_THAT(first_columns(frames(out)), ElementsAre("a", "b"));
    EXPECT_FALSE(merger->finished());
    merger->input_done(1);
    merger->drain(out, 1000);
    EXPECT_TRUE(merger->finished());
}

TEST(Sorted, HoldsBackAnInputThatIsAhead) {
    auto merger = Merger::make(spec_of({{.type = type::kInt4}}), 2, {{type::kText, false}}, {}, {});
    while (merger->wants(0)) merger->row(0, body(int_row(std::string(1000, 'x'), 1)));
    EXPECT_TRUE(merger->wants(1));
    EXPECT_LT(merger->buffered_bytes(), 100'000U);
}

TEST(Sorted, StopsAtAPortalsRowLimit) {
    auto merger = Merger::make(spec_of({{.type = type::kInt4}}), 1, {{type::kText, false}}, {}, {});
    for (int i = 0; i < 5; ++i) merger->row(0, body(int_row("r", i)));
    std::string out;
    merger->drain(out, 1000, 3);
    EXPECT_EQ(merger->rows(), 3U);
    merger->drain(out, 1000, 3);
    EXPECT_EQ(frames(out).size(), 5U);
}

TEST(Sorted, RefusesTypesThatItCannotCompare) {
    constexpr Oid kJsonb = 3802;
    EXPECT_THROW(Merger::make(spec_of({{.type = kJsonb}}), 1, {{type::kText, false}}, {}, {}),
                 PgError);
}

TEST(Sorted, RejectsRowsOfAnotherShape) {
    auto merger = Merger::make(spec_of({{.type = type::kInt4}}), 1, {{type::kText, false}}, {}, {});
    EXPECT_THROW(merger->row(0, body({"a"})), PgError);
    EXPECT_THROW(merger->row(0, body(int_row("a", 1)).substr(0, 12)), PgError);
    EXPECT_THROW(merger->row(0, body(int_row("a", 1)) + "x"), PgError);
    EXPECT_THROW(merger->row(0, body({"a", "xyz"})), PgError);
}

struct Sample {
    std::optional<std::int64_t> number;
    std::optional<std::string> text;
    auto operator<=>(const Sample&) const = default;
};

// The reference: PostgreSQL's rules, written the slow way.
struct Slow {
    bool descending[2];
    bool nulls_first[2];

    template <class T>
    static int compare(const std::optional<T>& a, const std::optional<T>& b, bool descending,
                       bool nulls_first) {
        if (!a || !b)
            return a.has_value() == b.has_value() ? 0 : a.has_value() == nulls_first ? 1 : -1;
        int order = *a < *b ? -1 : *b < *a ? 1 : 0;
        return descending ? -order : order;
    }
    bool operator()(const Sample& a, const Sample& b) const {
        int order = compare(a.number, b.number, descending[0], nulls_first[0]);
        if (order == 0) order = compare(a.text, b.text, descending[1], nulls_first[1]);
        return order < 0;
    }
};

std::vector<Sample> any_samples() {
    auto numbers =
        rc::gen::oneOf(rc::gen::inRange<std::int64_t>(-3, 4), rc::gen::arbitrary<std::int64_t>());
    auto texts = rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab\xC3\xFF ")));
    std::vector<Sample> samples;
    for (int i = *rc::gen::inRange(0, 60); i > 0; --i) {
        Sample sample;
        if (*rc::gen::inRange(0, 5) != 0) sample.number = *numbers;
        if (*rc::gen::inRange(0, 5) != 0) sample.text = *texts;
        samples.push_back(sample);
    }
    return samples;
}

TEST(Sorted, EqualsSortingEverythingAtOnce) {
    EXPECT_TRUE(rc::check([] {
        auto samples = any_samples();
        Slow slow{{*rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>()},
                  {*rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>()}};
        auto shards = static_cast<std::size_t>(*rc::gen::inRange(1, 7));
        std::vector<std::vector<Row>> inputs(shards);
        std::sort(samples.begin(), samples.end(),
                  [](const Sample& a, const Sample& b) { return a < b; });
        std::sort(samples.begin(), samples.end(), slow);
        std::vector<Row> expected;
        for (const Sample& sample : samples) {
            std::string shown = sample.number ? std::to_string(*sample.number) : "null";
            shown += "/" + sample.text.value_or("null");
            expected.push_back({shown});
            Row row{shown, sample.number ? binary(*sample.number) : std::nullopt, sample.text};
            inputs[*rc::gen::inRange<std::size_t>(0, shards)].push_back(row);
        }
        auto spec = spec_of({{.type = type::kInt8,
                              .descending = slow.descending[0],
                              .nulls_first = slow.nulls_first[0]},
                             {.type = type::kText,
                              .descending = slow.descending[1],
                              .nulls_first = slow.nulls_first[1]}});
        auto merger = Merger::make(spec, shards, {{type::kText, false}}, {}, {});
        RC_ASSERT(run(*merger, inputs) == expected);
        RC_ASSERT(merger->finished());
    }));
}

TEST(Distinct, KeepsTheFirstOfEachGroupInOrder) {
    auto spec = spec_of({{.type = type::kInt4}});
    spec.mode = MergeSpec::Mode::kDistinct;
    spec.group_by = spec.order_by;
    auto rows = merge_rows(
        spec, {{int_row("1", 1), int_row("2", 2)}, {int_row("1", 1), int_row("3", 3)}}, 2, 1);
    EXPECT_THAT(first_columns(rows), ElementsAre("2", "3"));
}

TEST(Distinct, SeesEqualNumbersThatArePrintedDifferently) {
    MergeSpec spec{.mode = MergeSpec::Mode::kDistinct, .visible = 1, .hidden = 1};
    spec.group_by = {{.column = 1, .type = type::kNumeric}};
    auto rows =
        merge_rows(spec, {{{"1.0", numeric("1.0")}, {"n", std::nullopt}},
                          {{"1.00", numeric("1.00")}, {"2", numeric("2")}, {"n", std::nullopt}}});
    EXPECT_EQ(rows.size(), 3U);
}

TEST(Distinct, WorksWhereOrderByDoesNotNameAllColumns) {
    MergeSpec spec{.mode = MergeSpec::Mode::kDistinct, .visible = 1, .hidden = 2};
    spec.order_by = {{.column = 1, .type = type::kInt4}};
    spec.group_by = {{.column = 1, .type = type::kInt4}, {.column = 2, .type = type::kText}};
    auto row = [](int key, const char* text) { return Row{text, binary(std::int32_t{key}), text}; };
    auto rows =
        merge_rows(spec, {{row(1, "b"), row(1, "a"), row(2, "a")}, {row(1, "a"), row(1, "b")}});
    EXPECT_THAT(first_columns(rows), ElementsAre("b", "a", "a"));
}

}  // namespace
}  // namespace pgmosaic::merge

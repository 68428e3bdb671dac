#include "coordinator/merge/internal/concatenate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/unit/merge/rows.h"

namespace pgmosaic::merge {
namespace {

using namespace testing;
using planner::MergeSpec;

const MergeSpec kPlain{.visible = 1};

std::unique_ptr<Merger> make(std::optional<std::int64_t> limit,
                             std::optional<std::int64_t> offset) {
    return Merger::make(kPlain, 2, {{type::kText, false}}, limit, offset);
}

TEST(Concatenate, PassesEveryRow) {
    auto merger = make({}, {});
    EXPECT_EQ(run(*merger, {{{"a"}, {std::nullopt}}, {{"c"}}}).size(), 3U);
    EXPECT_TRUE(merger->finished());
    EXPECT_EQ(merger->rows(), 3U);
}

TEST(Concatenate, CountsLimitAndOffsetOverAllInputs) {
    auto merger = make(2, 1);
    EXPECT_EQ(run(*merger, {{{"a"}, {"b"}, {"c"}}, {{"d"}, {"e"}}}).size(), 2U);
    EXPECT_TRUE(merger->finished());
}

TEST(Concatenate, TellsShardsToStopAtTheLimit) {
    auto merger = make(1, {});
    merger->row(0, body({"a"}));
    EXPECT_FALSE(merger->wants(0));
    EXPECT_FALSE(merger->finished());
    std::string out;
    merger->drain(out, 1000);
    EXPECT_TRUE(merger->finished());
}

TEST(Concatenate, HoldsShardsBackWhileTheClientIsSlow) {
    auto merger = make({}, {});
    while (merger->wants(0)) merger->row(0, body({std::string(500, 'x')}));
    EXPECT_LT(merger->buffered_bytes(), 200'000U);
    std::string out;
    for (int i = 0; i < 1000; ++i) merger->drain(out, 1000);
    EXPECT_TRUE(merger->wants(0));
    EXPECT_EQ(frames(out).size(), merger->rows());
}

TEST(Concatenate, RefusesNegativeCountsAsPostgresDoes) {
    EXPECT_THROW(make(-1, {}), PgError);
    EXPECT_THROW(make({}, -1), PgError);
}

TEST(Merger, RelaysOnlyWhatPassesUnchanged) {
    EXPECT_TRUE(Merger::relays(kPlain, {}, {}));
    EXPECT_TRUE(Merger::relays(kPlain, {}, 0));
    EXPECT_FALSE(Merger::relays(kPlain, 1, {}));
    EXPECT_FALSE(Merger::relays({.visible = 1, .hidden = 1}, {}, {}));
}

TEST(Merger, FinishesWithoutAnyShard) {
    for (auto mode :
         {MergeSpec::Mode::kConcatenate, MergeSpec::Mode::kSorted, MergeSpec::Mode::kDistinct}) {
        MergeSpec spec{.mode = mode, .visible = 1, .hidden = 1};
        spec.order_by = spec.group_by = {{.column = 1, .type = type::kInt4}};
        auto merger = Merger::make(spec, 0, {{type::kText, false}}, {}, {});
        EXPECT_TRUE(run(*merger, {}).empty());
        EXPECT_TRUE(merger->finished());
    }
}

}  // namespace
}  // namespace pgmosaic::merge

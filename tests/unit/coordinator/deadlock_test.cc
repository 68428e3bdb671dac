#include <gtest/gtest.h>

#include "coordinator/deadlock/wait_graph.h"

namespace pgmosaic::coordinator::deadlock {
namespace {

const ShardId kS1{0};
const ShardId kS2{1};
const Party kAnna{1};
const Party kBob{2};
const Party kCarl{3};
const Party kDora{4};

/// Anna is the oldest, Dora the youngest.
std::map<Party, Clock::time_point> begun() {
    const Clock::time_point start{};
    return {{kAnna, start}, {kBob, start + 1s}, {kCarl, start + 2s}, {kDora, start + 3s}};
}

Wait wait(Party waiter, Party holder, ShardId shard) { return {.waiter = waiter, .holder = holder, .shard = shard}; }

TEST(Deadlock, TwoThatWaitForEachOtherOnTwoShards) {
    const auto found = find_deadlocks({wait(kAnna, kBob, kS1), wait(kBob, kAnna, kS2)}, begun());
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].victim, kBob);
    EXPECT_EQ(found[0].circle.size(), 2U);
}

TEST(Deadlock, AQueueIsNone) {
    EXPECT_TRUE(find_deadlocks({wait(kAnna, kBob, kS1), wait(kBob, kCarl, kS2), wait(kDora, kBob, kS2)}, begun()).empty());
}

TEST(Deadlock, OnOneShardItIsPostgresqls) {
    EXPECT_TRUE(find_deadlocks({wait(kAnna, kBob, kS1), wait(kBob, kAnna, kS1)}, begun()).empty());
}

TEST(Deadlock, ALocalCircleHidesNoOther) {
    const auto found = find_deadlocks({wait(kAnna, kBob, kS1), wait(kBob, kAnna, kS1), wait(kCarl, kDora, kS1), wait(kDora, kCarl, kS2)}, begun());
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].victim, kDora);
}

TEST(Deadlock, TheYoungestOfThreeIsBroken) {
    const auto found = find_deadlocks({wait(kCarl, kAnna, kS1), wait(kAnna, kBob, kS2), wait(kBob, kCarl, kS1)}, begun());
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].victim, kCarl);
}

TEST(Deadlock, TwoCirclesAreBothBroken) {
    const auto found = find_deadlocks(
        {wait(kAnna, kBob, kS1), wait(kBob, kAnna, kS2), wait(kCarl, kDora, kS1), wait(kDora, kCarl, kS2)}, begun());
    EXPECT_EQ(found.size(), 2U);
}

TEST(Deadlock, OneVictimMayBreakTwoCircles) {
    const auto found = find_deadlocks(
        {wait(kAnna, kDora, kS1), wait(kDora, kAnna, kS2), wait(kBob, kDora, kS1), wait(kDora, kBob, kS2)}, begun());
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].victim, kDora);
}

TEST(Deadlock, AStrangerMayBePartOfItButIsNotBroken) {
    const Party stranger{99};
    const auto found = find_deadlocks({wait(kAnna, stranger, kS1), wait(stranger, kBob, kS1), wait(kBob, kAnna, kS2)}, begun());
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].victim, kBob);
}

TEST(Deadlock, WaitingForSeveralIsFollowedToAllOfThem) {
    const auto found = find_deadlocks({wait(kAnna, kBob, kS1), wait(kAnna, kCarl, kS1), wait(kCarl, kAnna, kS2)}, begun());
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].victim, kCarl);
}

}  // namespace
}  // namespace pgmosaic::coordinator::deadlock

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "replication/internal/failover_log.h"
#include "replication/internal/node_look.h"
#include "replication/internal/record_steps.h"

namespace pgmosaic::replication {
namespace {

using shardmap::FailoverStep;
using shardmap::Node;
using shardmap::NodeState;
using shardmap::Shard;
using shardmap::Standing;
using testing::HasSubstr;

Shard two_nodes() {
    Shard shard{.id = ShardId{0}, .name = "s1", .primary = NodeId{1}};
    shard.nodes = {Node{.id = NodeId{1}, .name = "s1a", .host = "h", .port = 1},
                   Node{.id = NodeId{2}, .name = "s1b", .host = "h", .port = 2}};
    shard.standby = NodeId{2};
    shard.standing = Standing::kPromotable;
    return shard;
}

TEST(Record, TakesEpochAndPromotabilityAwayInOneChange) {
    const Shard after = fenced(two_nodes());
    EXPECT_EQ(after.epoch, Epoch{2});
    EXPECT_EQ(after.primary, NodeId{2});
    EXPECT_EQ(after.promotable(), nullptr);
    EXPECT_EQ(after.standing, Standing::kAlone);
    EXPECT_EQ(after.step, FailoverStep::kFenced);
    EXPECT_FALSE(after.serves());
    EXPECT_EQ(fenced_node(after)->name, "s1a");
    EXPECT_EQ(shardmap::fault_of(after), "");
    EXPECT_TRUE(published(after).serves());
}

TEST(Record, FindsTheOtherNode) {
    Shard shard = two_nodes();
    EXPECT_EQ(other_node(shard)->name, "s1b");
    shard.standby.reset();
    shard.standing = Standing::kAlone;
    EXPECT_EQ(other_node(shard)->name, "s1b");
    EXPECT_EQ(fenced_node(shard), nullptr);
    shard.nodes.pop_back();
    EXPECT_EQ(other_node(shard), nullptr);
}

Facts draining() {
    return Facts{.in_recovery = true, .lsn = Lsn{100}, .sourceless = true, .startup_waits = true, .retry_interval = 20ms,
                 .incarnation = "i"};
}

/// Looks at the given milliseconds, each with its facts; returns whether the standby counts as drained after the last.
bool drained_after(std::vector<std::pair<int, Facts>> looks) {
    NodeLook look;
    for (auto& [at, facts] : looks) {
        look.asked = Clock::time_point(std::chrono::milliseconds(at));
        look.take(facts, look.asked);
    }
    return look.drained();
}

TEST(Drain, NeedsTwoLooksTwoRetryIntervalsApart) {
    EXPECT_FALSE(drained_after({{1000, draining()}}));
    EXPECT_FALSE(drained_after({{1000, draining()}, {1001, draining()}, {1045, draining()}}));
    EXPECT_TRUE(drained_after({{1000, draining()}, {1001, draining()}, {1060, draining()}}));
    Facts slow = draining();
    slow.retry_interval = 5s;
    EXPECT_FALSE(drained_after({{1000, draining()}, {1001, slow}, {2000, slow}}));
}

TEST(Drain, BeginsAnewWhenAnythingMoves) {
    const auto with = [](auto change) {
        Facts moved = draining();
        change(moved);
        return drained_after({{1000, draining()}, {1001, draining()}, {1050, moved}, {1062, draining()}});
    };
    EXPECT_TRUE(with([](Facts&) {}));
    EXPECT_FALSE(with([](Facts& facts) { facts.receiver = true; }));
    EXPECT_FALSE(with([](Facts& facts) { facts.lsn = Lsn{101}; }));
    EXPECT_FALSE(with([](Facts& facts) { facts.sourceless = false; }));
    EXPECT_FALSE(with([](Facts& facts) { facts.replay_paused = true; }));
    EXPECT_FALSE(with([](Facts& facts) { facts.incarnation = "another"; }));
    EXPECT_TRUE(with([](Facts& facts) { facts.startup_waits = false; }));  // it was just looking for WAL
}

TEST(Drain, CountsOnlyLooksAtWhichTheStartupProcessWaited) {
    Facts busy = draining();
    busy.startup_waits = false;
    EXPECT_FALSE(drained_after({{1000, busy}, {1010, busy}, {1200, busy}}));
    EXPECT_FALSE(drained_after({{1000, busy}, {1010, busy}, {1200, draining()}}));
}

TEST(Look, TrustsAFollowerOnlyIfItsNameIsUnique) {
    NodeLook look;
    look.facts.followers = {{.name = "s1b", .streaming = true}, {.name = "pg_basebackup"}};
    ASSERT_NE(look.follower("s1b"), nullptr);
    EXPECT_TRUE(look.follower("s1b")->streaming);
    look.facts.followers.push_back({.name = "s1b"});
    EXPECT_EQ(look.follower("s1b"), nullptr);
    EXPECT_EQ(look.follower("s1c"), nullptr);
}

TEST(Look, TrustsAFollowerOnlyWithTheSlotWeMade) {
    NodeLook look;
    look.facts.followers = {{.name = "s1b", .streaming = true, .ours = false}};
    EXPECT_EQ(look.follower("s1b"), nullptr);
    EXPECT_TRUE(look.has_impostor("s1b"));
    EXPECT_FALSE(look.has_impostor("s1a"));
    look.facts.followers[0].streaming = false;  // it asks for a slot that is taken, and acknowledges nothing yet
    EXPECT_FALSE(look.has_impostor("s1b"));
}

TEST(Look, ReadsTheProbesRow) {
    backend::QueryResult result;
    result.rows = {{"f", "1/A0", "3", "FIRST 1 (\"s1b\")", "t", "f", "f", "f", "100", "7 2026-01-01",
                    "streaming\tsync\t1/9F\tt\ts1b\nbackup\t\t0/0\tf\tpg_basebackup"}};
    const auto facts = read_facts(result);
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->lsn, Lsn{0x1000000A0});
    EXPECT_EQ(facts->timeline, 3u);
    EXPECT_EQ(facts->names, names_for("s1b"));
    EXPECT_EQ(facts->retry_interval, 100ms);
    ASSERT_EQ(facts->followers.size(), 2u);
    EXPECT_TRUE(facts->followers[0].streaming && facts->followers[0].synchronous);
    EXPECT_EQ(facts->followers[0].flushed, Lsn{0x10000009F});
    EXPECT_TRUE(facts->followers[0].ours);
    EXPECT_EQ(facts->followers[1].name, "pg_basebackup");
    EXPECT_FALSE(facts->followers[1].ours);
    result.rows[0].pop_back();
    EXPECT_FALSE(read_facts(result));
}

TEST(FailoverLog, TellsThePhases) {
    FailoverLog log;
    log.begin(two_nodes(), "primary gone", Clock::now() - 40ms);
    log.mark("fence");
    const std::string event = log.finish(fenced(two_nodes()));
    EXPECT_THAT(event, HasSubstr(R"("from": "s1a")"));
    EXPECT_THAT(event, HasSubstr(R"("to": "s1b")"));
    EXPECT_THAT(event, HasSubstr(R"("detect": 4)"));
    EXPECT_THAT(event, HasSubstr(R"("fence": )"));
    EXPECT_THAT(log.finish(two_nodes()), HasSubstr("continued"));
}

}  // namespace
}  // namespace pgmosaic::replication

#include "coordinator/moment/latch.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace pgmosaic::coordinator::moment {
namespace {

const ShardId kS1{0};
const ShardId kS2{1};
const ShardId kS3{2};

class LatchTest : public testing::Test {
   protected:
    Ticket open(std::vector<ShardId> shards = {kS1, kS2}) { return latch_.open(std::move(shards), now_); }
    Ticket commit(std::string gid = "g", std::vector<ShardId> unresolved = {kS2}) { return latch_.commit(std::move(gid), std::move(unresolved), now_); }
    bool passed(Ticket ticket) {
        const auto granted = latch_.take_granted();
        passed_.insert(granted.begin(), granted.end());
        return passed_.contains(ticket);
    }
    void end(Ticket committer, const std::string& gid, std::vector<ShardId> shards = {kS2}) {
        for (ShardId shard : shards) latch_.resolve(gid, shard, now_);
        latch_.leave(committer, now_);
    }

    Latch::Time now_{};
    Latch latch_;
    std::set<Ticket> passed_;
};

TEST_F(LatchTest, OpenersShareAWindow) {
    EXPECT_TRUE(latch_.granted(open()));
    EXPECT_TRUE(latch_.granted(open()));
}

TEST_F(LatchTest, CommittersGoTogether) {
    EXPECT_TRUE(latch_.granted(commit("a")));
    EXPECT_TRUE(latch_.granted(commit("b")));
}

TEST_F(LatchTest, NeverBothSides) {
    const Ticket opener = open();
    const Ticket committer = commit();
    EXPECT_FALSE(latch_.granted(committer));
    EXPECT_TRUE(latch_.leave(opener, now_));
    EXPECT_TRUE(latch_.granted(committer));
    const Ticket later = open();
    EXPECT_FALSE(latch_.granted(later));
    end(committer, "g");
    EXPECT_TRUE(latch_.granted(later));
}

TEST_F(LatchTest, AnOpenerDoesNotPassAWaitingCommitter) {
    const Ticket opener = open();
    const Ticket committer = commit();
    const Ticket second = open();
    EXPECT_FALSE(latch_.granted(second));
    latch_.leave(opener, now_);
    EXPECT_TRUE(latch_.granted(committer));
    EXPECT_FALSE(latch_.granted(second));
}

TEST_F(LatchTest, ACommitterDoesNotPassAWaitingOpener) {
    const Ticket committer = commit("a");
    const Ticket opener = open();
    const Ticket second = commit("b");
    EXPECT_FALSE(latch_.granted(second));
    end(committer, "a");
    EXPECT_TRUE(latch_.granted(opener));
    EXPECT_FALSE(latch_.granted(second));
    latch_.leave(opener, now_);
    EXPECT_TRUE(latch_.granted(second));
}

TEST_F(LatchTest, TheDoorIsOpenUnlessAWindowIs) {
    EXPECT_FALSE(latch_.door_closed());
    EXPECT_TRUE(passed(latch_.pass(now_)));
    const Ticket committer = commit();
    EXPECT_FALSE(latch_.door_closed());
    EXPECT_TRUE(passed(latch_.pass(now_)));
    end(committer, "g");
    const Ticket opener = open();
    EXPECT_TRUE(latch_.door_closed());
    const Ticket passer = latch_.pass(now_);
    EXPECT_FALSE(passed(passer));
    latch_.leave(opener, now_);
    EXPECT_TRUE(passed(passer));
    EXPECT_FALSE(latch_.door_closed());
}

TEST_F(LatchTest, APasserIsNotStarvedByOpeners) {
    const Ticket first = open();
    const Ticket passer = latch_.pass(now_);
    const Ticket second = open();
    EXPECT_FALSE(latch_.granted(second));
    latch_.leave(first, now_);
    EXPECT_TRUE(passed(passer));
    EXPECT_TRUE(latch_.granted(second));
}

TEST_F(LatchTest, AWindowThatOthersWaitForEndsAtItsBound) {
    const Ticket opener = open();
    EXPECT_FALSE(latch_.due());
    const Ticket committer = commit();
    ASSERT_TRUE(latch_.due());
    EXPECT_EQ(*latch_.due(), now_ + 20ms);
    now_ += 19ms;
    latch_.tick(now_);
    EXPECT_FALSE(latch_.granted(committer));
    now_ += 1ms;
    latch_.tick(now_);
    EXPECT_TRUE(latch_.granted(committer));
    EXPECT_FALSE(latch_.leave(opener, now_)) << "it must know that its snapshots may be of two moments";
}

TEST_F(LatchTest, AStuckCommitterIsPassedOverAndItsShardsAreInDoubt) {
    commit("stuck", {kS2});
    const Ticket other = open({kS1, kS3});
    const Ticket over_it = open({kS1, kS2});
    now_ += 100ms;
    latch_.tick(now_);
    EXPECT_TRUE(latch_.granted(other));
    EXPECT_FALSE(latch_.granted(over_it));
    latch_.leave(other, now_);
    EXPECT_FALSE(latch_.granted(over_it));
    latch_.resolve("stuck", kS2, now_);
    EXPECT_TRUE(latch_.granted(over_it));
}

TEST_F(LatchTest, WhoWaitsForADoubtHoldsNobodyUp) {
    latch_.doubt("lost", kS2);
    const Ticket opener = open({kS1, kS2});
    EXPECT_FALSE(latch_.granted(opener));
    EXPECT_FALSE(latch_.door_closed());
    const Ticket committer = commit("a");
    const Ticket second = commit("b");
    EXPECT_TRUE(latch_.granted(committer));
    EXPECT_TRUE(latch_.granted(second)) << "recovery itself must come through";
}

TEST_F(LatchTest, ACommitterThatLeavesUnresolvedShardsLeavesThemInDoubt) {
    const Ticket committer = commit("left", {kS2, kS3});
    latch_.resolve("left", kS3, now_);
    latch_.leave(committer, now_);
    EXPECT_TRUE(latch_.in_doubt(kS2));
    EXPECT_FALSE(latch_.in_doubt(kS3));
}

TEST_F(LatchTest, AShardWithTwoDoubtsWaitsForBoth) {
    latch_.doubt("a", kS2);
    latch_.doubt("b", kS2);
    EXPECT_EQ(latch_.doubts(kS2), (std::set<std::string>{"a", "b"}));
    const Ticket opener = open({kS2, kS3});
    latch_.resolve("a", kS2, now_);
    EXPECT_FALSE(latch_.granted(opener));
    latch_.resolve("b", kS2, now_);
    EXPECT_TRUE(latch_.granted(opener));
}

TEST_F(LatchTest, WhoGoesAwayMakesRoom) {
    const Ticket opener = open();
    const Ticket committer = commit("a");
    const Ticket second = open();
    EXPECT_FALSE(latch_.leave(committer, now_));
    EXPECT_TRUE(latch_.granted(second));
    EXPECT_FALSE(latch_.in_doubt(kS2)) << "it never began phase two";
    latch_.leave(opener, now_);
    latch_.leave(second, now_);
    EXPECT_EQ(latch_.waiting(), 0U);
}

/// Whatever happens: the sides exclude each other, and when everybody who holds goes on, everybody who waits gets a turn.
RC_GTEST_PROP(LatchProperty, ExcludesAndNeverStarves, ()) {
    Latch latch;
    Latch::Time now{};
    std::set<Ticket> openers, committers, waiting_openers, waiting_committers, passers;
    const auto settle = [&] {
        for (Ticket ticket : latch.take_granted()) {
            if (waiting_openers.erase(ticket) > 0) openers.insert(ticket);
            else if (waiting_committers.erase(ticket) > 0) committers.insert(ticket);
            else passers.erase(ticket);
        }
        std::erase_if(openers, [&](Ticket t) { return !latch.granted(t); });
        std::erase_if(committers, [&](Ticket t) { return !latch.granted(t); });
        RC_ASSERT(openers.empty() || committers.empty());
        RC_ASSERT(latch.door_closed() == !openers.empty());
    };
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 6));
    for (int step : steps) {
        switch (step) {
            case 0: waiting_openers.insert(latch.open({kS1, kS2}, now)); break;
            case 1: waiting_committers.insert(latch.commit("", {}, now)); break;
            case 2: passers.insert(latch.pass(now)); break;
            case 3:
                if (!openers.empty()) latch.leave(*openers.begin(), now);
                break;
            case 4:
                if (!committers.empty()) latch.leave(*committers.begin(), now);
                break;
            default:
                now += 7ms;
                latch.tick(now);
                break;
        }
        settle();
        RC_ASSERT(!openers.empty() || passers.empty());
    }
    for (int turns = 0; turns < 3; ++turns) {  // what holds now, then one turn of each side
        now += 200ms;
        latch.tick(now);
        settle();
    }
    RC_ASSERT(waiting_openers.empty());
    RC_ASSERT(waiting_committers.empty());
    RC_ASSERT(passers.empty());
}

}  // namespace
}  // namespace pgmosaic::coordinator::moment

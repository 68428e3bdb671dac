// The supervisor against real servers: a primary and its synchronous standby, driven by the node library.

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/component/supervised_shard.h"

namespace pgmosaic::testing {
namespace {

using ::testing::HasSubstr;

class Supervision : public ::testing::Test {
   protected:
    static void SetUpTestSuite() {
        open_log(std::getenv("PGM_LOG") != nullptr ? std::getenv("PGM_LOG") : "off");
        signal(SIGPIPE, SIG_IGN);
    }
    void SetUp() override {
        watch();
        ASSERT_TRUE(safe()) << guardian_->status().trouble;
        auto sql = SupervisedShard::connect(primary(), 5s).value();
        sql.run("CREATE TABLE ledger (n bigint PRIMARY KEY)", Deadline::after(5s)).value();
    }

    void watch(replication::SupervisorOptions options = {}) {
        guardian_ = std::make_unique<Guardian>(shard_.store(), shard_.nodes(), route_, resolver_, std::move(options));
    }
    shardmap::Node primary() const { return route_.shard().primary_node(); }
    NodeId standby_id() const { return primary().id == NodeId{1} ? NodeId{2} : NodeId{1}; }
    /// Serves, and the standby may be promoted.
    bool safe() {
        return wait_for([&] { return route_.serves() && route_.promotable(); }, 60s);
    }
    bool moved(Epoch epoch) {
        return wait_for([&] { return route_.shard().epoch > epoch && route_.serves(); }, 20s);
    }
    std::string events() {
        std::string all;
        for (const store::Event& event : shard_.store().events(0, 100).value()) all += event.kind + " " + event.body + "\n";
        return all;
    }

    SupervisedShard shard_;
    Route route_;
    CountingResolver resolver_;
    std::unique_ptr<Guardian> guardian_;
};

TEST_F(Supervision, ReplacesAKilledPrimaryAgainAndAgainWithoutLoss) {
    const int rounds = std::getenv("PGM_ROUNDS") != nullptr ? std::atoi(std::getenv("PGM_ROUNDS")) : 4;
    std::vector<double> gaps;
    for (int round = 0; round < rounds; ++round) {
        ASSERT_TRUE(safe()) << guardian_->status().trouble << events();
        const Epoch epoch = route_.shard().epoch;
        if (round > 0) {
            auto sql = SupervisedShard::connect(primary(), 5s).value();
            sql.run("TRUNCATE ledger", Deadline::after(5s)).value();
        }
        Writers writers(route_);
        ASSERT_TRUE(wait_for([&] { return writers.acknowledged() > 100; }, 20s));
        kill(shard_.nodes().pid(primary().id).value(), SIGKILL);
        ASSERT_TRUE(moved(epoch)) << guardian_->status().trouble;
        const std::size_t before = writers.acknowledged();
        ASSERT_TRUE(wait_for([&] { return writers.acknowledged() > before + 50; }, 20s));
        writers.stop();
        EXPECT_EQ(writers.lost(), 0u) << "of " << writers.acknowledged();
        gaps.push_back(writers.longest_gap_seconds());
    }
    ASSERT_TRUE(safe()) << guardian_->status().trouble << events();
    EXPECT_TRUE(wait_for([&] { return guardian_->status().state == "healthy"; }, 5s)) << guardian_->status().state;
    EXPECT_EQ(resolver_.calls, rounds);
    std::sort(gaps.begin(), gaps.end());
    std::printf("write gaps:");
    for (double gap : gaps) std::printf(" %.3f", gap);
    std::printf(" s, median %.3f s\n%s", gaps[gaps.size() / 2], events().c_str());
}

TEST_F(Supervision, NoticesALostCommit) {
    Writers writers(route_);
    ASSERT_TRUE(wait_for([&] { return writers.acknowledged() > 10; }, 20s));
    writers.stop();
    auto sql = SupervisedShard::connect(primary(), 5s).value();
    sql.run("DELETE FROM ledger WHERE n = 3", Deadline::after(5s)).value();
    EXPECT_EQ(writers.lost(), 1u);
}

TEST_F(Supervision, ReplacesAHungPrimaryAndMakesItAStandby) {
    Writers writers(route_);
    ASSERT_TRUE(wait_for([&] { return writers.acknowledged() > 100; }, 20s));
    const NodeId old = primary().id;
    shard_.signal_all(old, SIGSTOP);
    ASSERT_TRUE(moved(Epoch{1})) << guardian_->status().trouble;
    const std::size_t before = writers.acknowledged();
    ASSERT_TRUE(wait_for([&] { return writers.acknowledged() > before + 50; }, 20s));
    ASSERT_TRUE(safe()) << guardian_->status().trouble << events();
    writers.stop();
    EXPECT_EQ(writers.lost(), 0u);
    EXPECT_NE(primary().id, old);
    EXPECT_LT(writers.longest_gap_seconds(), 6);
}

TEST_F(Supervision, GoesOnWithoutAStandbyAndTakesItBack) {
    Writers writers(route_);
    ASSERT_TRUE(wait_for([&] { return writers.acknowledged() > 100; }, 20s));
    kill(shard_.nodes().pid(standby_id()).value(), SIGKILL);
    ASSERT_TRUE(wait_for([&] { return !route_.promotable(); }, 10s));
    const std::size_t before = writers.acknowledged();
    ASSERT_TRUE(wait_for([&] { return writers.acknowledged() > before + 50; }, 10s));
    ASSERT_TRUE(safe()) << guardian_->status().trouble << events();
    writers.stop();
    EXPECT_EQ(route_.shard().epoch, Epoch{1});
    EXPECT_EQ(writers.lost(), 0u);
    EXPECT_LT(writers.longest_gap_seconds(), 3);
    EXPECT_THAT(events(), HasSubstr("standby_lost"));
}

TEST_F(Supervision, TakesALoneBackendCrashForWhatItIs) {
    auto victim = SupervisedShard::connect(primary(), 5s).value();
    const std::string pid = victim.run("SELECT pg_backend_pid()", Deadline::after(5s)).value().scalar();
    const int before = route_.withdrawals;
    kill(std::stoi(pid), SIGKILL);
    ASSERT_TRUE(wait_for([&] { return route_.withdrawals > before; }, 5s));
    ASSERT_TRUE(safe()) << guardian_->status().trouble;
    EXPECT_EQ(route_.shard().epoch, Epoch{1});
    EXPECT_THAT(events(), ::testing::Not(HasSubstr("failover")));
}

TEST_F(Supervision, SwitchesOverOnRequest) {
    Writers writers(route_);
    ASSERT_TRUE(wait_for([&] { return writers.acknowledged() > 100; }, 20s));
    const NodeId old = primary().id;
    const auto done = guardian_->run((**guardian_).switchover(ShardId{0}, Deadline::after(20s)));
    ASSERT_TRUE(done) << done.error().message << done.error().detail;
    EXPECT_NE(primary().id, old);
    const auto again = guardian_->run((**guardian_).failover(ShardId{0}, Deadline::after(20s)));
    if (!again) {
        EXPECT_EQ(again.error().code, sqlstate::kObjectNotInPrerequisiteState) << again.error().message;
    }
    ASSERT_TRUE(safe()) << guardian_->status().trouble << events();
    writers.stop();
    EXPECT_EQ(writers.lost(), 0u);
    EXPECT_FALSE(guardian_->run((**guardian_).failover(ShardId{7}, Deadline::after(1s))));
}

TEST_F(Supervision, IsContinuedByAnotherSupervisor) {
    resolver_.failures = 3;
    resolver_.on_call = [this] {
        if (resolver_.calls == 2) guardian_->stop_soon();
    };
    Writers writers(route_);
    ASSERT_TRUE(wait_for([&] { return writers.acknowledged() > 100; }, 20s));
    kill(shard_.nodes().pid(primary().id).value(), SIGKILL);
    ASSERT_TRUE(wait_for([&] { return resolver_.calls >= 2; }, 20s));
    std::this_thread::sleep_for(300ms);
    EXPECT_FALSE(route_.serves());
    guardian_.reset();
    watch();
    ASSERT_TRUE(moved(Epoch{1})) << guardian_->status().trouble;
    ASSERT_TRUE(safe()) << guardian_->status().trouble << events();
    writers.stop();
    EXPECT_EQ(writers.lost(), 0u);
    EXPECT_GE(resolver_.calls, 4);
}

TEST_F(Supervision, ServesNothingFromAnOldCopyOfTheStore) {
    const std::string copy = shard_.folder() / "old.db";
    guardian_.reset();
    shard_.close_store();
    std::filesystem::copy_file(shard_.store_path(), copy);
    shard_.open_store(shard_.store_path());
    watch();
    ASSERT_TRUE(wait_for([&] { return route_.serves(); }, 20s));
    ASSERT_TRUE(guardian_->run((**guardian_).failover(ShardId{0}, Deadline::after(20s))));
    ASSERT_TRUE(safe()) << guardian_->status().trouble << events();
    guardian_.reset();
    shard_.close_store();
    shard_.open_store(copy);
    Route route;
    guardian_ = std::make_unique<Guardian>(shard_.store(), shard_.nodes(), route, resolver_);
    EXPECT_FALSE(wait_for([&] { return route.serves(); }, 5s));
    EXPECT_EQ(guardian_->status().action, replication::Action::kRefuse);
    EXPECT_EQ(guardian_->status().state, "down");
}

}  // namespace
}  // namespace pgmosaic::testing

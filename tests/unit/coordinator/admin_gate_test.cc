#include "coordinator/admin/gate.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

namespace pgmosaic::coordinator {
namespace {

class GateTest : public testing::Test {
   protected:
    /// Starts a task and keeps what it made; run_ready() lets it go on as far as it can.
    void start(Task<bool> task, std::optional<bool>& result) {
        asio::co_spawn(io_, std::move(task), [&result](const std::exception_ptr& failure, bool value) {
            if (!failure) result = value;
        });
        run_ready();
    }
    void run_ready() {
        io_.restart();
        io_.poll();
    }

    asio::io_context io_;
    Gate gate_{io_.get_executor()};
};

TEST_F(GateTest, IsOpenAtFirst) {
    EXPECT_TRUE(gate_.try_enter());
    EXPECT_EQ(gate_.inside(), 1);
    gate_.leave();
    EXPECT_EQ(gate_.inside(), 0);
}

TEST_F(GateTest, HoldsBackWhoComesWhileItIsClosed) {
    gate_.close(Deadline::after(60s));
    EXPECT_FALSE(gate_.try_enter());
    std::optional<bool> first;
    std::optional<bool> second;
    start(gate_.enter(), first);
    start(gate_.enter(), second);
    EXPECT_FALSE(first || second);
    gate_.open();
    run_ready();
    EXPECT_EQ(first, true);
    EXPECT_EQ(second, true);
    EXPECT_EQ(gate_.inside(), 2);
}

TEST_F(GateTest, IsDrainedWhenTheLastOneLeaves) {
    ASSERT_TRUE(gate_.try_enter());
    ASSERT_TRUE(gate_.try_enter());
    gate_.close(Deadline::after(60s));
    std::optional<bool> drained;
    start(gate_.drained(Deadline::after(60s)), drained);
    gate_.leave();
    run_ready();
    EXPECT_FALSE(drained);
    gate_.leave();
    run_ready();
    EXPECT_EQ(drained, true);
}

TEST_F(GateTest, SaysSoWhenTimeIsUp) {
    ASSERT_TRUE(gate_.try_enter());
    gate_.close(Deadline{Clock::now() - 1s});
    std::optional<bool> drained;
    start(gate_.drained(Deadline{Clock::now() - 1s}), drained);
    EXPECT_EQ(drained, false);
    std::optional<bool> entered;
    start(gate_.enter(), entered);
    EXPECT_EQ(entered, false);
    EXPECT_EQ(gate_.inside(), 1);
}

TEST_F(GateTest, NobodyInsideNeedsNoWait) {
    gate_.close(Deadline::after(60s));
    std::optional<bool> drained;
    start(gate_.drained(Deadline::after(60s)), drained);
    EXPECT_EQ(drained, true);
}

TEST_F(GateTest, MayCloseAgainBeforeTheWaitingCameIn) {
    gate_.close(Deadline::after(60s));
    std::optional<bool> entered;
    start(gate_.enter(), entered);
    gate_.open();
    gate_.close(Deadline::after(60s));
    run_ready();
    EXPECT_FALSE(entered);
    gate_.open();
    run_ready();
    EXPECT_EQ(entered, true);
}

}  // namespace
}  // namespace pgmosaic::coordinator

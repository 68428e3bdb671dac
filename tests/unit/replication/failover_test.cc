#include "replication/failover.h"

#include <gtest/gtest.h>

namespace pgmosaic::replication {
namespace {

using shardmap::FailoverStep;
using shardmap::Node;
using shardmap::NodeState;
using shardmap::Shard;
using shardmap::Standing;

Shard two_nodes() {
    Shard shard{.id = ShardId{0}, .name = "s1", .primary = NodeId{1}};
    shard.nodes = {Node{.id = NodeId{1}, .name = "s1a", .host = "h", .port = 1},
                   Node{.id = NodeId{2}, .name = "s1b", .host = "h", .port = 2}};
    shard.standby = NodeId{2};
    shard.standing = Standing::kPromotable;
    return shard;
}

/// All is well: primary answers, standby streams and may be promoted.
FailoverView healthy() {
    FailoverView view{.shard = two_nodes()};
    view.primary = {.health = Health::kAnswering, .seen = true, .verified = true, .names_standby = true, .local = true};
    view.standby = {.exists = true, .health = Health::kAnswering, .local = true, .in_recovery = true, .receiver = true,
                    .streaming = true, .synchronous = true, .caught_up = true, .names_nobody = true};
    return view;
}

/// The primary's process is gone, and its standby has noticed.
FailoverView primary_killed() {
    FailoverView view = healthy();
    view.primary.health = Health::kGone;
    view.primary.verified = false;
    view.standby.receiver = view.standby.streaming = view.standby.synchronous = false;
    return view;
}

/// The record after the fence: the standby is on its way.
FailoverView taking_over(FailoverStep step) {
    FailoverView view = primary_killed();
    view.shard.primary = NodeId{2};
    view.shard.epoch = Epoch{2};
    view.shard.standby.reset();
    view.shard.standing = Standing::kAlone;
    view.shard.nodes[0].state = NodeState::kFenced;
    view.shard.step = step;
    view.standby.sourceless = view.standby.drained = true;
    return view;
}

TEST(Failover, LeavesAHealthyShardAlone) { EXPECT_EQ(next(healthy()), Action::kWait); }

TEST(Failover, TakesOverAtOnceWhenThePrimarysProcessIsGone) { EXPECT_EQ(next(primary_killed()), Action::kFence); }

TEST(Failover, TakesOverAtOnceWhenRefusedAndTheReceiverIsGone) {
    FailoverView view = primary_killed();
    view.primary.health = Health::kRefusing;
    EXPECT_EQ(next(view), Action::kFence);
    view.standby.receiver = true;
    EXPECT_EQ(next(view), Action::kWait);
    view.standby.receiver = false;
    view.primary.seen = false;  // it may only not have been started yet
    EXPECT_EQ(next(view), Action::kWait);
}

TEST(Failover, TakesSilenceForDeathOnlyAfterDetect) {
    FailoverView view = healthy();
    view.primary.health = Health::kSilent;
    view.primary.unanswered = 1999ms;
    EXPECT_EQ(next(view), Action::kWait);
    view.primary.unanswered = 2s;
    EXPECT_EQ(next(view), Action::kFence);
    view.primary.seen = false;
    EXPECT_EQ(next(view), Action::kWait);
    view.primary.unanswered = 12s;
    EXPECT_EQ(next(view), Action::kFence);
}

TEST(Failover, IsNotStartedByALoneBackendCrashThatRecoversInTime) {
    FailoverView view = healthy();
    view.primary.health = Health::kStarting;
    view.standby.receiver = view.standby.streaming = false;
    view.primary.unanswered = 9s;
    EXPECT_EQ(next(view), Action::kWait);
    view.primary.unanswered = 10s;
    EXPECT_EQ(next(view), Action::kFence);
}

TEST(Failover, DoesNotWaitForAServerThatShutsDown) {
    FailoverView view = healthy();
    view.primary.health = Health::kStopping;
    EXPECT_EQ(next(view), Action::kFence);
    view.shard.standing = Standing::kAlone;
    EXPECT_EQ(next(view), Action::kDown);  // nor restart it before it has gone
    view = healthy();
    view.standby.health = Health::kStopping;
    view.standby.streaming = false;
    EXPECT_EQ(next(view), Action::kRecordAlone);
}

TEST(Failover, NeverPromotesStandbyBehindAcknowledgedCommit) {
    for (Standing standing : {Standing::kAlone, Standing::kNamed}) {
        FailoverView view = primary_killed();
        view.shard.standing = standing;
        EXPECT_EQ(next(view), Action::kRestartPrimary);
        view.primary.local = false;
        EXPECT_EQ(next(view), Action::kDown);
        view.by_hand = ByHand::kFailover;
        EXPECT_EQ(next(view), Action::kDown);
    }
}

TEST(Failover, NeedsAStandbyThatAnswersAndIsOne) {
    const auto with = [](auto change) {
        FailoverView view = primary_killed();
        view.primary.local = false;
        change(view.standby);
        return next(view);
    };
    EXPECT_EQ(with([](StandbyView& standby) { standby.health = Health::kSilent; }), Action::kDown);
    EXPECT_EQ(with([](StandbyView& standby) { standby.in_recovery = false; }), Action::kDown);
    EXPECT_EQ(with([](StandbyView& standby) { standby.foreign = true; }), Action::kDown);
    EXPECT_EQ(with([](StandbyView& standby) { standby.busy = true; }), Action::kDown);
    EXPECT_EQ(with([](StandbyView& standby) { standby.exists = false; }), Action::kDown);
}

TEST(Failover, LeavesTheDecisionToTheOperatorWhenNotAutomatic) {
    FailoverView view = primary_killed();
    view.policy.automatic = false;
    view.primary.local = false;
    EXPECT_EQ(next(view), Action::kDown);
    view.by_hand = ByHand::kFailover;
    EXPECT_EQ(next(view), Action::kFence);
}

TEST(Failover, ServesNothingFromAStoreOlderThanTheServers) {
    FailoverView view = healthy();
    view.primary.newer_epoch_seen = true;
    EXPECT_EQ(next(view), Action::kRefuse);
    view = primary_killed();
    view.primary.newer_epoch_seen = true;
    view.by_hand = ByHand::kFailover;
    EXPECT_EQ(next(view), Action::kRefuse);
}

TEST(Failover, StopsTheReceiverForGoodBeforeItWaitsForTheDrain) {
    FailoverView view = taking_over(FailoverStep::kFenced);
    view.standby.sourceless = view.standby.drained = false;
    EXPECT_EQ(next(view), Action::kStopReceiver);
    view.standby.sourceless = true;
    EXPECT_EQ(next(view), Action::kWait);
    view.standby.drained = true;
    EXPECT_EQ(next(view), Action::kRecordDrained);
}

TEST(Failover, PromotesOnlyAfterDrainAndOwnNamesCleared) {
    for (FailoverStep step : {FailoverStep::kFenced, FailoverStep::kDrained, FailoverStep::kPromoting}) {
        FailoverView view = taking_over(step);
        view.standby.drained = false;
        EXPECT_EQ(next(view), Action::kWait);
        view.standby.sourceless = false;  // somebody gave it a source again
        EXPECT_EQ(next(view), Action::kStopReceiver);
    }
    FailoverView view = taking_over(FailoverStep::kDrained);
    view.standby.names_nobody = false;
    EXPECT_EQ(next(view), Action::kClearOwnNames);
    view.standby.names_nobody = true;
    EXPECT_EQ(next(view), Action::kRecordPromoting);
    EXPECT_EQ(next(taking_over(FailoverStep::kPromoting)), Action::kPromote);
}

TEST(Failover, ResumesAReplayThatWasPaused) {
    FailoverView view = taking_over(FailoverStep::kFenced);
    view.standby.replay_paused = true;
    view.standby.drained = false;
    EXPECT_EQ(next(view), Action::kResumeReplay);
}

TEST(Failover, AsksForThePromotionAgainOnlyAfterAWhile) {
    FailoverView view = taking_over(FailoverStep::kPromoting);
    view.promote_asked = 100ms;
    EXPECT_EQ(next(view), Action::kWait);
    view.promote_asked = 2s;
    EXPECT_EQ(next(view), Action::kPromote);
}

TEST(Failover, GoesOnFromAnyStepOfADeadDecider) {
    FailoverView view = taking_over(FailoverStep::kPromoting);
    view.standby.in_recovery = false;  // promoted, but the record does not know it
    EXPECT_EQ(next(view), Action::kRecordPromoted);
    view.shard.step = FailoverStep::kPromoted;
    view.primary = {.health = Health::kAnswering, .seen = true};
    EXPECT_EQ(next(view), Action::kResolve);
    view.shard.step = FailoverStep::kResolved;
    EXPECT_EQ(next(view), Action::kPublish);
}

TEST(Failover, StartsTheCandidateThatDiedOnItsWay) {
    FailoverView view = taking_over(FailoverStep::kDrained);
    view.standby.health = Health::kGone;
    EXPECT_EQ(next(view), Action::kStartStandby);
    view.standby.busy = true;
    EXPECT_EQ(next(view), Action::kDown);
    view = taking_over(FailoverStep::kPromoted);
    view.primary = {.health = Health::kGone, .seen = true, .local = true};
    EXPECT_EQ(next(view), Action::kRestartPrimary);
}

TEST(Failover, PublishesWithPolicyWaitOnlyWhenCommitsWaitAgain) {
    FailoverView view = taking_over(FailoverStep::kResolved);
    view.policy.continue_alone = false;
    view.primary = {.health = Health::kAnswering, .seen = true, .names_nobody = true};
    EXPECT_EQ(next(view), Action::kRecordNamed);
    view.shard.standing = Standing::kNamed;
    view.shard.standby = NodeId{1};
    EXPECT_EQ(next(view), Action::kSetNames);
    view.primary.names_standby = true;
    EXPECT_EQ(next(view), Action::kPublish);
}

TEST(Switchover, EndsTheOldPrimaryInOrderFirst) {
    FailoverView view = healthy();
    view.by_hand = ByHand::kSwitchover;
    EXPECT_EQ(next(view), Action::kFence);
    view = taking_over(FailoverStep::kFenced);
    view.standby.sourceless = view.standby.drained = false;
    view.by_hand = ByHand::kSwitchover;
    EXPECT_EQ(next(view), Action::kStopOldPrimary);
    view.old_primary_stopped = true;
    EXPECT_EQ(next(view), Action::kStopReceiver);
}

TEST(LostStandby, IsRecordedBeforeThePrimaryGoesOnAlone) {
    FailoverView view = healthy();
    view.standby.health = Health::kGone;
    EXPECT_EQ(next(view), Action::kRecordAlone);
    view.shard.standing = Standing::kAlone;
    EXPECT_EQ(next(view), Action::kClearNames);
    view.primary.names_standby = false;
    view.primary.names_nobody = true;
    EXPECT_EQ(next(view), Action::kStartStandby);
}

TEST(LostStandby, IsNoticedWhenItHangsThoughThePrimaryStillBelievesInIt) {
    FailoverView view = healthy();
    view.standby.health = Health::kSilent;
    view.standby.unanswered = 1s;
    EXPECT_EQ(next(view), Action::kWait);
    view.standby.unanswered = 2s;
    EXPECT_EQ(next(view), Action::kRecordAlone);
}

TEST(LostStandby, IsNoticedWhenItAnswersButDoesNotStream) {
    FailoverView view = healthy();
    view.standby.streaming = view.standby.synchronous = false;
    view.standby.not_streaming = 1s;
    EXPECT_EQ(next(view), Action::kWait);
    view.standby.not_streaming = 2s;
    EXPECT_EQ(next(view), Action::kRecordAlone);
}

TEST(LostStandby, IsOneInWhosePlaceSomebodyElseMayAcknowledge) {
    FailoverView view = healthy();
    view.standby.impersonated = true;
    EXPECT_EQ(next(view), Action::kRecordAlone);
    view.policy.continue_alone = false;
    EXPECT_EQ(next(view), Action::kRecordNamed);  // not promotable, and never proved while it lasts
    view.shard.standing = Standing::kNamed;
    EXPECT_EQ(next(view), Action::kWait);
    view.standby.impersonated = false;
    EXPECT_EQ(next(view), Action::kProve);
}

TEST(LostStandby, IsNotGivenUpWhileThePrimaryDoesNotAnswer) {
    FailoverView view = healthy();
    view.primary.health = Health::kSilent;
    view.primary.unanswered = 1s;
    view.standby.health = Health::kGone;
    EXPECT_EQ(next(view), Action::kWait);
    view.primary.unanswered = 5s;
    EXPECT_EQ(next(view), Action::kDown);  // still promotable, should it come back first
    view.standby.health = Health::kAnswering;
    EXPECT_EQ(next(view), Action::kFence);
}

TEST(LostStandby, MakesThePrimaryWaitIfThePolicySaysSo) {
    FailoverView view = healthy();
    view.policy.continue_alone = false;
    view.standby.health = Health::kGone;
    EXPECT_EQ(next(view), Action::kStartStandby);
    view.standby.busy = true;
    EXPECT_EQ(next(view), Action::kWait);
}

TEST(ReturningStandby, BecomesPromotableOnlyByProof) {
    FailoverView view = healthy();
    view.shard.standing = Standing::kAlone;
    view.primary.names_standby = false;
    view.primary.names_nobody = true;
    view.standby.synchronous = view.standby.caught_up = false;
    EXPECT_EQ(next(view), Action::kWait);
    view.standby.caught_up = true;
    EXPECT_EQ(next(view), Action::kRecordNamed);
    view.shard.standing = Standing::kNamed;
    EXPECT_EQ(next(view), Action::kSetNames);
    view.primary.names_standby = true;
    EXPECT_EQ(next(view), Action::kWait);
    view.standby.synchronous = true;
    EXPECT_EQ(next(view), Action::kProve);
    view.standby.replay_paused = true;  // of a proof that was broken off
    EXPECT_EQ(next(view), Action::kResumeReplay);
}

TEST(ReturningStandby, IsDemotedWhenSomebodyChangesTheNames) {
    FailoverView view = healthy();
    view.primary.names_standby = false;
    EXPECT_EQ(next(view), Action::kRecordNamed);
}

TEST(ReturningStandby, IsMadeAnewWhenItWasPrimaryOrDoesNotFit) {
    FailoverView view = healthy();
    view.shard.standing = Standing::kAlone;
    view.primary.names_standby = false;
    view.primary.names_nobody = true;
    view.standby.streaming = view.standby.synchronous = view.standby.caught_up = false;
    const auto with = [&](auto change) {
        FailoverView changed = view;
        change(changed.standby);
        return next(changed);
    };
    EXPECT_EQ(with([](StandbyView& standby) { standby.state = NodeState::kFenced; standby.health = Health::kGone; }),
              Action::kRebuildStandby);
    EXPECT_EQ(with([](StandbyView& standby) { standby.state = NodeState::kRebuilding; }), Action::kRebuildStandby);
    EXPECT_EQ(with([](StandbyView& standby) { standby.foreign = true; }), Action::kRebuildStandby);
    EXPECT_EQ(with([](StandbyView& standby) { standby.in_recovery = false; }), Action::kRebuildStandby);
    EXPECT_EQ(with([](StandbyView& standby) { standby.not_streaming = 9s; }), Action::kWait);
    EXPECT_EQ(with([](StandbyView& standby) { standby.not_streaming = 10s; }), Action::kRebuildStandby);
    EXPECT_EQ(with([](StandbyView& standby) { standby.health = Health::kGone; }), Action::kStartStandby);
    EXPECT_EQ(with([](StandbyView& standby) { standby.health = Health::kGone; standby.cannot_start = true; }),
              Action::kRebuildStandby);
    EXPECT_EQ(with([](StandbyView& standby) { standby.health = Health::kGone; standby.retry_due = false; }), Action::kWait);
    EXPECT_EQ(with([](StandbyView& standby) { standby.state = NodeState::kFenced; standby.busy = true; }), Action::kWait);
    EXPECT_EQ(with([](StandbyView& standby) { standby.state = NodeState::kFenced; standby.local = false; }), Action::kWait);
}

TEST(RestartedPrimary, IsVerifiedBeforeAnythingElse) {
    FailoverView view = healthy();
    view.primary.verified = false;
    EXPECT_EQ(next(view), Action::kVerifyPrimary);
    view.standby.health = Health::kGone;  // its own commit would wait in vain
    EXPECT_EQ(next(view), Action::kRecordAlone);
}

TEST(RestartedPrimary, IsNotMadeToWaitForAStandbyThatIsNotThere) {
    FailoverView view = healthy();
    view.policy.continue_alone = false;
    view.primary.verified = false;
    view.standby.streaming = view.standby.synchronous = false;
    EXPECT_EQ(next(view), Action::kWait);
    view.standby.health = Health::kGone;
    EXPECT_EQ(next(view), Action::kStartStandby);
    view.standby.health = Health::kAnswering;
    view.standby.streaming = true;
    EXPECT_EQ(next(view), Action::kVerifyPrimary);
}

TEST(ShardWithoutStandby, IsServedAndRestarted) {
    FailoverView view = healthy();
    view.shard.nodes.pop_back();
    view.shard.standby.reset();
    view.shard.standing = Standing::kAlone;
    view.primary.names_standby = false;
    view.primary.names_nobody = true;
    view.standby = {};
    EXPECT_EQ(next(view), Action::kWait);
    view.primary.health = Health::kGone;
    EXPECT_EQ(next(view), Action::kRestartPrimary);
    view.primary.busy = true;
    EXPECT_EQ(next(view), Action::kDown);
}

}  // namespace
}  // namespace pgmosaic::replication

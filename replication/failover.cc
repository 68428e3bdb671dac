#include "replication/failover.h"

namespace pgmosaic::replication {

namespace {

using shardmap::FailoverStep;
using shardmap::NodeState;
using shardmap::Standing;

// A promotion that has not happened by then was asked of a server that has restarted meanwhile: ask again.
constexpr auto kPromoteAgain = 2s;

bool answers(const StandbyView& standby) { return standby.exists && standby.health == Health::kAnswering; }

bool serves_writes(const PrimaryView& primary) { return primary.health == Health::kAnswering && !primary.in_recovery; }

/// Commits would wait in vain for this standby. What the primary says of a stopped one is true only after its
/// wal_sender_timeout, so our own look at it counts as well.
bool is_lost(const FailoverView& view) {
    const StandbyView& standby = view.standby;
    if (!standby.exists || standby.state != NodeState::kReady || standby.health == Health::kGone || standby.impersonated) return true;
    const Clock::duration patience =
        view.policy.detect + (standby.health == Health::kUnknown ? view.policy.first_look : Clock::duration{});
    if (standby.health == Health::kSilent && standby.unanswered >= patience) return true;
    if (standby.streaming) return false;
    return standby.health == Health::kRefusing || standby.health == Health::kStopping || standby.not_streaming >= patience;
}

/// Commits may be made to wait for it.
bool is_useful(const FailoverView& view) {
    const StandbyView& standby = view.standby;
    return answers(standby) && standby.state == NodeState::kReady && standby.streaming && standby.caught_up && !standby.impersonated;
}

bool must_rebuild(const FailoverView& view) {
    const StandbyView& standby = view.standby;
    if (standby.state != NodeState::kReady || standby.cannot_start) return true;
    if (!answers(standby) || standby.streaming) return false;
    return standby.foreign || !standby.in_recovery || standby.sourceless || standby.not_streaming >= view.policy.stream_again;
}

/// What the standby needs before commits can wait for it; kWait if nothing can be done now.
Action mend_standby(const FailoverView& view) {
    const StandbyView& standby = view.standby;
    if (!standby.exists || !standby.local || standby.busy || !standby.retry_due) return Action::kWait;
    if (must_rebuild(view)) return Action::kRebuildStandby;
    return standby.health == Health::kGone ? Action::kStartStandby : Action::kWait;
}

/// The primary answers: from a standby that is away to one that may be promoted, one step at a time.
Action improve_standing(const FailoverView& view) {
    const StandbyView& standby = view.standby;
    switch (view.shard.standing) {
        case Standing::kAlone:
            if (standby.exists && (is_useful(view) || !view.policy.continue_alone)) return Action::kRecordNamed;
            return mend_standby(view);
        case Standing::kNamed:
            if (!view.primary.names_standby) return Action::kSetNames;
            if (is_useful(view) && standby.replay_paused) return Action::kResumeReplay;
            if (is_useful(view) && standby.synchronous) return Action::kProve;
            return mend_standby(view);
        case Standing::kPromotable:
            // Somebody has changed the names, or acknowledges in its place: commits may not wait for it any longer.
            if (!view.primary.names_standby || standby.impersonated) return Action::kRecordNamed;
            if (answers(standby) && standby.replay_paused) return Action::kResumeReplay;
            return mend_standby(view);
    }
    return Action::kWait;
}

Action keep(const FailoverView& view) {
    if (view.primary.newer_epoch_seen) return Action::kRefuse;
    const bool alone = view.shard.standing == Standing::kAlone;
    // First of all: a lost standby makes every commit wait, our own included.
    if (view.policy.continue_alone) {
        if (!alone && is_lost(view)) return Action::kRecordAlone;
        if (alone && !is_useful(view) && !view.primary.names_nobody) return Action::kClearNames;
    }
    if (view.primary.verified) return improve_standing(view);
    // A commit that waits for a standby that is not there stays on the server when we give it up: do not begin it.
    const bool would_hang = !view.primary.names_nobody && !view.standby.streaming;
    return would_hang ? mend_standby(view) : Action::kVerifyPrimary;
}

bool may_take_over(const FailoverView& view) {
    const StandbyView& standby = view.standby;
    return view.shard.promotable() != nullptr && answers(standby) && standby.in_recovery && !standby.foreign && !standby.busy;
}

Action restart_or_down(const FailoverView& view) {
    const PrimaryView& primary = view.primary;
    const bool startable = primary.health == Health::kGone && primary.local && !primary.busy && primary.retry_due;
    return startable ? Action::kRestartPrimary : Action::kDown;
}

Action watch(const FailoverView& view) {
    const bool wanted = view.by_hand != ByHand::kNo;
    if (view.primary.newer_epoch_seen) return Action::kRefuse;
    if (wanted && may_take_over(view)) return Action::kFence;
    if (!is_dead(view.primary, view.standby, view.policy)) return serves_writes(view.primary) ? keep(view) : Action::kWait;
    if (view.policy.automatic && may_take_over(view)) return Action::kFence;
    return restart_or_down(view);
}

/// From the fence to the promotion: `view.standby` is the one that takes over.
Action take_over(const FailoverView& view) {
    const StandbyView& candidate = view.standby;
    const FailoverStep step = view.shard.step;
    if (candidate.health == Health::kGone && candidate.local && !candidate.busy && candidate.retry_due) {
        return Action::kStartStandby;
    }
    if (!answers(candidate)) return Action::kDown;
    if (!candidate.in_recovery) return Action::kRecordPromoted;
    if (view.by_hand == ByHand::kSwitchover && step == FailoverStep::kFenced && !view.old_primary_stopped) {
        return Action::kStopOldPrimary;
    }
    if (candidate.replay_paused) return Action::kResumeReplay;
    if (!candidate.sourceless) return Action::kStopReceiver;
    if (!candidate.drained) return Action::kWait;
    if (step == FailoverStep::kFenced) return Action::kRecordDrained;
    if (!candidate.names_nobody) return Action::kClearOwnNames;
    if (step == FailoverStep::kDrained) return Action::kRecordPromoting;
    const bool asked = view.promote_asked > Clock::duration{} && view.promote_asked < kPromoteAgain;
    return asked ? Action::kWait : Action::kPromote;
}

/// The new primary takes writes; what is left before it is routed to.
Action settle(const FailoverView& view) {
    if (!serves_writes(view.primary)) return restart_or_down(view);
    if (view.shard.step == FailoverStep::kPromoted) return Action::kResolve;
    if (view.policy.continue_alone || !view.standby.exists) return Action::kPublish;
    // Policy "wait": not one commit without a standby, so the names are set before anybody is routed here.
    if (view.shard.standing == Standing::kAlone) return Action::kRecordNamed;
    return view.primary.names_standby ? Action::kPublish : Action::kSetNames;
}

}  // namespace

bool is_dead(const PrimaryView& primary, const StandbyView& standby, const FailoverPolicy& policy) {
    if (serves_writes(primary)) return false;
    // One that shuts down comes back as something else, if at all. Should it still commit, its standby has left it.
    if (primary.health == Health::kGone || primary.health == Health::kStopping) return true;
    const Clock::duration patience = primary.seen ? Clock::duration{} : policy.first_look;
    if (primary.health == Health::kStarting) return primary.unanswered >= policy.starting_max + patience;
    // Nobody listens, and the standby has lost it, too: two independent witnesses.
    const bool both = primary.health == Health::kRefusing && answers(standby) && standby.in_recovery && !standby.receiver;
    if (both && primary.seen) return true;
    return primary.unanswered >= policy.detect + patience;
}

Action next(const FailoverView& view) {
    using shardmap::FailoverStep;
    switch (view.shard.step) {
        case FailoverStep::kNone: return watch(view);
        case FailoverStep::kFenced:
        case FailoverStep::kDrained:
        case FailoverStep::kPromoting: return take_over(view);
        case FailoverStep::kPromoted:
        case FailoverStep::kResolved: return settle(view);
    }
    return Action::kWait;
}

std::string_view to_string(Action action) {
    switch (action) {
        case Action::kWait: return "wait";
        case Action::kDown: return "down";
        case Action::kRefuse: return "refuse";
        case Action::kRestartPrimary: return "restart_primary";
        case Action::kVerifyPrimary: return "verify_primary";
        case Action::kFence: return "fence";
        case Action::kStopOldPrimary: return "stop_old_primary";
        case Action::kResumeReplay: return "resume_replay";
        case Action::kStopReceiver: return "stop_receiver";
        case Action::kRecordDrained: return "record_drained";
        case Action::kClearOwnNames: return "clear_own_names";
        case Action::kRecordPromoting: return "record_promoting";
        case Action::kPromote: return "promote";
        case Action::kRecordPromoted: return "record_promoted";
        case Action::kResolve: return "resolve";
        case Action::kPublish: return "publish";
        case Action::kStartStandby: return "start_standby";
        case Action::kRebuildStandby: return "rebuild_standby";
        case Action::kRecordNamed: return "record_named";
        case Action::kSetNames: return "set_names";
        case Action::kProve: return "prove";
        case Action::kRecordAlone: return "record_alone";
        case Action::kClearNames: return "clear_names";
    }
    return "?";
}

std::string_view to_string(Health health) {
    switch (health) {
        case Health::kUnknown: return "unknown";
        case Health::kAnswering: return "answering";
        case Health::kStarting: return "starting";
        case Health::kStopping: return "stopping";
        case Health::kRefusing: return "refusing";
        case Health::kSilent: return "silent";
        case Health::kGone: return "gone";
    }
    return "?";
}

}  // namespace pgmosaic::replication

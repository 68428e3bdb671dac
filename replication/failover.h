#pragma once

#include <cstdint>
#include <string_view>

#include "base/deadline.h"
#include "shardmap/shard.h"

namespace pgmosaic::replication {

/// What the last look at a server gave. Judged by a query being answered, never by a connection being accepted.
enum class Health : std::uint8_t {
    kUnknown,    ///< not looked at yet
    kAnswering,
    kStarting,   ///< 57P03: starting up, recovering after a crash
    kStopping,   ///< 57P03: shutting down
    kRefusing,   ///< nobody listens
    kSilent,     ///< no answer within the probe's time
    kGone,       ///< its process is gone: seen on its own machine
};

struct PrimaryView {
    Health health = Health::kUnknown;
    bool seen = false;                    ///< has answered since we began to look
    Clock::duration unanswered{};         ///< since it last answered as a primary, or since we began to look
    bool in_recovery = false;             ///< answers, but is not a primary
    bool verified = false;                ///< an own commit was acknowledged since the server (re)started
    bool newer_epoch_seen = false;        ///< a node of this shard has seen an epoch that the store has not: the store is old
    bool names_standby = false;           ///< synchronous_standby_names is the one name that we set
    bool names_nobody = false;            ///< … is empty
    bool local = false;                   ///< we can start it
    bool busy = false;                    ///< we are starting it right now
    bool retry_due = true;                ///< the last attempt to start it is long enough ago
};

struct StandbyView {
    bool exists = false;
    Health health = Health::kUnknown;
    Clock::duration unanswered{};
    shardmap::NodeState state = shardmap::NodeState::kReady;
    bool local = false;
    bool in_recovery = false;
    bool foreign = false;                 ///< of another cluster, or on a timeline that the primary does not know
    bool receiver = false;                ///< a walreceiver runs
    bool streaming = false;               ///< the primary has exactly one walsender of its name, streaming
    bool synchronous = false;             ///< … and calls it sync
    bool impersonated = false;            ///< somebody else streams under its name, and may acknowledge commits for it
    bool caught_up = false;               ///< its lag is small enough to make commits wait for it
    Clock::duration not_streaming{};      ///< for how long the primary has seen no such walsender
    bool names_nobody = false;            ///< its own synchronous_standby_names is empty
    bool sourceless = false;              ///< primary_conninfo and restore_command are empty, by its own pg_settings
    bool replay_paused = false;
    bool drained = false;                 ///< sourceless, no receiver, replay unchanged and waiting for two retry intervals
    bool busy = false;                    ///< we are rebuilding or starting it right now
    bool retry_due = true;                ///< the last attempt to mend it is long enough ago
    bool cannot_start = false;            ///< starting it as it is has failed repeatedly
};

struct FailoverPolicy {
    Clock::duration detect = 2s;          ///< silence of a primary that counts as its death
    Clock::duration starting_max = 10s;   ///< for how long a primary may say that it is starting up
    Clock::duration first_look = 10s;     ///< extra time for servers that have not answered since we began to look
    Clock::duration stream_again = 10s;   ///< for how long a standby that answers may fail to stream before it is made anew
    bool automatic = true;
    bool continue_alone = true;           ///< without a standby: go on (after recording it), or wait
};

enum class ByHand : std::uint8_t { kNo, kFailover, kSwitchover };

/// Everything that the next step of a shard depends on. While a standby is on its way to be the primary (steps kFenced to
/// kPromoting), `standby` is that one and `primary` the old one; otherwise `primary` is the recorded primary.
struct FailoverView {
    shardmap::Shard shard{};
    PrimaryView primary{};
    StandbyView standby{};
    FailoverPolicy policy{};
    ByHand by_hand = ByHand::kNo;
    bool old_primary_stopped = false;     ///< switchover: it has ended in an orderly way
    Clock::duration promote_asked{};      ///< since the last pg_promote(); 0: not yet
};

/// One step. Steps that change the record do so by compare-and-set; each can be repeated.
enum class Action : std::uint8_t {
    kWait,             ///< look again
    kDown,             ///< nobody may be promoted and nobody answers: look again, and say so
    kRefuse,           ///< the store is older than the servers: serve nothing
    kRestartPrimary,   ///< its process is gone and nobody may take over: start it as it is
    kVerifyPrimary,    ///< own commit, epoch row: then it may be routed to
    kFence,            ///< record the new epoch and primary: from here on the old one is routed to no more
    kStopOldPrimary,   ///< switchover: an orderly end, so that the standby receives everything
    kResumeReplay,
    kStopReceiver,     ///< on the standby: for good, so that nothing more can be acknowledged to the old primary
    kRecordDrained,
    kClearOwnNames,    ///< on the standby: else its first commit as a primary would wait for itself
    kRecordPromoting,
    kPromote,
    kRecordPromoted,   ///< after the epoch row, its first commit, has been acknowledged
    kResolve,          ///< finish decided transactions, then record it
    kPublish,          ///< record the end of the failover and publish the map
    kStartStandby,
    kRebuildStandby,
    kRecordNamed,
    kSetNames,         ///< on the primary: commits are to wait for the standby
    kProve,            ///< prove that commits wait for it, then record it as promotable
    kRecordAlone,      ///< before the primary may go on without its standby
    kClearNames,       ///< on the primary
};

/// Decides; never promotes a standby that may lack an acknowledged commit.
Action next(const FailoverView& view);

/// Is the primary to be taken for dead? See PROTOCOLS 3 and DESIGN, "High availability".
bool is_dead(const PrimaryView& primary, const StandbyView& standby, const FailoverPolicy& policy);

std::string_view to_string(Action action);
std::string_view to_string(Health health);

}  // namespace pgmosaic::replication

// Two servers, clients and faults, all pretended, and the real decisions: nothing acknowledged may ever be missing from a
// primary that serves. Looks are stale, reloads take effect late, replication is cut, servers hang and die.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "replication/failover.h"
#include "replication/internal/record_steps.h"

namespace pgmosaic::replication {
namespace {

using shardmap::FailoverStep;
using shardmap::Node;
using shardmap::NodeState;
using shardmap::Shard;
using shardmap::Standing;

constexpr auto kTick = 100ms;

struct Pretended {
    bool up = true;
    bool hung = false;
    bool recovery = false;
    bool sourceless = false;
    bool names = false;          ///< names the other one, as SHOW says
    bool names_effective = false;  ///< as committers act: follows a reload late
    std::vector<int> log{};
    std::vector<int> waiting{};  ///< commits that wait for the standby
    std::size_t replayed_before = 0;

    bool answers() const { return up && !hung; }
    bool writable() const { return answers() && !recovery; }
};

/// What was seen of a server, some time ago.
struct Seen {
    Pretended was{};
    bool receiver = false;
    bool streaming = false;
    int at = 0;            ///< tick of the last answer
    int led = 0;
    bool answered = false;
    Health health = Health::kUnknown;
    int still_looks = 0;   ///< in a row: sourceless, no receiver, nothing new
};

class World {
   public:
    explicit World(unsigned seed, bool canary) : random_(seed), canary_(canary) {
        record_ = {.name = "s1", .primary = NodeId{0}};
        record_.nodes = {Node{.id = NodeId{0}, .name = "a", .host = "h", .port = 1},
                         Node{.id = NodeId{1}, .name = "b", .host = "h", .port = 2}};
        servers_[1].recovery = true;
    }

    void tick(bool with_faults) {
        ++now_;
        if (with_faults) faults();
        reload();
        replicate();
        clients();
        look();
        if (chance(90)) decide();
        check();
    }

    void heal() {
        cut_ = false;
        for (Pretended& server : servers_) server.hung = false;
    }
    bool safe() const { return record_.serves() && record_.standing == Standing::kPromotable; }
    std::size_t acknowledged() const { return acknowledged_.size(); }
    int failovers() const { return static_cast<int>(record_.epoch.value) - 1; }
    bool lost() const { return lost_; }

   private:
    bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
    Pretended& server(NodeId id) { return servers_[id.value]; }
    static NodeId other(NodeId id) { return NodeId{1 - id.value}; }

    void faults() {
        if (chance(2)) cut_ = !cut_;
        for (Pretended& server : servers_) {
            if (chance(1) && server.up) {
                server.up = server.hung = false;
                server.waiting.clear();
            }
            if (server.up && chance(server.hung ? 5 : 1)) server.hung = !server.hung;
        }
    }

    bool linked(int standby) const {
        const Pretended& follower = servers_[static_cast<std::size_t>(standby)];
        const Pretended& leader = servers_[static_cast<std::size_t>(1 - standby)];
        return !cut_ && follower.answers() && leader.answers() && follower.recovery && !leader.recovery && !follower.sourceless &&
               follower.log.size() <= leader.log.size() &&
               std::equal(follower.log.begin(), follower.log.end(), leader.log.begin());
    }

    void reload() {
        for (Pretended& server : servers_) {
            if (server.answers() && chance(30)) server.names_effective = server.names;
        }
    }

    void replicate() {
        for (int standby : {0, 1}) {
            Pretended& leader = servers_[static_cast<std::size_t>(1 - standby)];
            Pretended& follower = servers_[static_cast<std::size_t>(standby)];
            if (linked(standby) && chance(80)) follower.log = leader.log;
            if (!leader.writable()) continue;
            std::vector<int> still;
            for (int id : leader.waiting) {
                const bool there = linked(standby) && std::count(follower.log.begin(), follower.log.end(), id) > 0;
                if (there || !leader.names_effective) {
                    acknowledged_.insert(id);
                } else {
                    still.push_back(id);
                }
            }
            leader.waiting = std::move(still);
        }
    }

    // Clients write to whoever takes it, also to a primary that nobody should be routed to any more.
    void clients() {
        for (Pretended& server : servers_) {
            if (!server.writable() || !chance(50)) continue;
            server.log.push_back(++last_id_);
            server.waiting.push_back(last_id_);
        }
    }

    void look() {
        for (std::size_t i = 0; i < 2; ++i) {
            Seen& seen = seen_[i];
            const Pretended& now = servers_[i];
            if (!now.up) {
                seen.health = Health::kGone;
                continue;
            }
            if (now.hung || chance(40)) {
                if (now.hung) seen.health = Health::kSilent;
                continue;
            }
            const bool receiver = linked(static_cast<int>(i));
            const bool still = now.recovery && now.sourceless && !receiver && seen.answered && now.log == seen.was.log;
            seen.still_looks = still ? seen.still_looks + 1 : 0;
            seen.was = now;
            seen.receiver = receiver;
            seen.streaming = linked(static_cast<int>(1 - i));
            seen.answered = true;
            seen.health = Health::kAnswering;
            seen.at = now_;
            if (!now.recovery) seen.led = now_;
        }
    }

    FailoverView view() const {
        const bool on_the_way = record_.step == FailoverStep::kFenced || record_.step == FailoverStep::kDrained ||
                                record_.step == FailoverStep::kPromoting;
        const NodeId primary = on_the_way ? other(record_.primary) : record_.primary;
        const Seen& first = seen_[primary.value];
        const Seen& second = seen_[other(primary).value];
        FailoverView view{.shard = record_};
        view.primary = {.health = first.health, .seen = first.answered, .unanswered = kTick * (now_ - first.led),
                        .in_recovery = first.was.recovery, .verified = true, .names_standby = first.was.names,
                        .names_nobody = !first.was.names, .local = true};
        view.standby = {.exists = true, .health = second.health, .unanswered = kTick * (now_ - second.at),
                        .state = record_.nodes[other(primary).value].state, .local = true,
                        .in_recovery = second.was.recovery, .receiver = second.receiver, .streaming = first.streaming,
                        .synchronous = first.streaming && first.was.names, .caught_up = first.streaming,
                        .not_streaming = first.streaming ? Clock::duration{} : kTick * 25, .names_nobody = !second.was.names,
                        .sourceless = second.was.sourceless, .drained = second.still_looks >= 2};
        if (canary_ && view.shard.standing == Standing::kNamed) view.shard.standing = Standing::kPromotable;
        return view;
    }

    void decide() {
        const FailoverView seen = view();
        const NodeId standby = other(record_.primary);
        switch (next(seen)) {
            case Action::kFence: record_ = fenced(seen.shard); break;
            case Action::kStopReceiver: order(record_.primary, [](Pretended& server) { server.sourceless = true; }); break;
            case Action::kRecordDrained: record_.step = FailoverStep::kDrained; break;
            case Action::kClearOwnNames:
            case Action::kClearNames: order(record_.primary, [](Pretended& server) { server.names = false; }); break;
            case Action::kSetNames: order(record_.primary, [](Pretended& server) { server.names = true; }); break;
            case Action::kRecordPromoting: record_.step = FailoverStep::kPromoting; break;
            case Action::kPromote: order(record_.primary, [](Pretended& server) { server.recovery = false; }); break;
            case Action::kRecordPromoted: record_.step = FailoverStep::kPromoted; break;
            case Action::kResolve: record_.step = FailoverStep::kResolved; break;
            case Action::kPublish: record_ = published(record_); break;
            case Action::kRecordNamed: record_ = named(record_, standby); break;
            case Action::kRecordAlone: record_ = alone(record_); break;
            case Action::kProve: prove(standby); break;
            case Action::kRestartPrimary: server(record_.primary).up = true; break;
            case Action::kStartStandby: server(seen.shard.step == FailoverStep::kNone ? standby : record_.primary).up = true; break;
            case Action::kRebuildStandby: rebuild(standby); break;
            default: break;
        }
    }

    template <class Change>
    void order(NodeId id, Change change) {
        if (server(id).answers()) change(server(id));
    }

    void prove(NodeId standby) {
        const Pretended& primary = server(record_.primary);
        if (!primary.writable() || !primary.names_effective || !linked(static_cast<int>(standby.value))) return;
        server(standby).log = primary.log;
        record_ = proved(record_);
    }

    void rebuild(NodeId id) {
        Pretended& broken = server(id);
        const Pretended& primary = server(record_.primary);
        record_ = with_node_state(record_, id, NodeState::kRebuilding);
        if (!primary.writable() || chance(50)) return;
        broken = {.recovery = true, .log = primary.log};
        record_ = with_node_state(record_, id, NodeState::kReady);
    }

    void check() {
        const Pretended& primary = server(record_.primary);
        if (!record_.serves() || primary.recovery) return;
        const std::set<int> present(primary.log.begin(), primary.log.end());
        lost_ = lost_ || !std::includes(present.begin(), present.end(), acknowledged_.begin(), acknowledged_.end());
    }

    std::mt19937 random_;
    const bool canary_;
    Shard record_;
    Pretended servers_[2];
    Seen seen_[2];
    std::set<int> acknowledged_;
    bool cut_ = false;
    bool lost_ = false;
    int now_ = 0;
    int last_id_ = 0;
};

struct Outcome {
    int lost = 0;
    int stuck = 0;
    int failovers = 0;
    std::size_t acknowledged = 0;
};

Outcome run(unsigned first_seed, int worlds, bool canary) {
    Outcome outcome;
    for (int i = 0; i < worlds; ++i) {
        World world(first_seed + static_cast<unsigned>(i), canary);
        for (int tick = 0; tick < 600; ++tick) world.tick(true);
        world.heal();
        for (int tick = 0; tick < 600 && !world.safe(); ++tick) world.tick(false);
        outcome.lost += world.lost() ? 1 : 0;
        outcome.stuck += world.safe() ? 0 : 1;
        outcome.failovers += world.failovers();
        outcome.acknowledged += world.acknowledged();
    }
    return outcome;
}

unsigned seed() {
    const char* given = std::getenv("PGM_SEED");
    const unsigned chosen = given != nullptr ? static_cast<unsigned>(std::atoi(given)) : std::random_device{}() % 1'000'000;
    std::printf("PGM_SEED=%u\n", chosen);
    return chosen;
}

TEST(Simulation, LosesNoAcknowledgedCommitAndAlwaysRecovers) {
    const Outcome outcome = run(seed(), 25, false);
    EXPECT_EQ(outcome.lost, 0);
    EXPECT_EQ(outcome.stuck, 0);
    EXPECT_GT(outcome.failovers, 25);
    EXPECT_GT(outcome.acknowledged, 1000u);
}

TEST(Simulation, NoticesADeciderThatTrustsAnUnprovedStandby) { EXPECT_GT(run(seed(), 25, true).lost, 0); }

}  // namespace
}  // namespace pgmosaic::replication

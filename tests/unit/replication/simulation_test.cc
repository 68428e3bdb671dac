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

/// A bug that is planted to see whether it would be noticed.
enum class Canary {
    kNone,
    kTrustsUnproved,     ///< a named standby counts as promotable
    kObeysLateOrders,    ///< orders that were given up still come to effect, after newer ones (PROTOCOLS 3.5)
    kKeepsPromotable,    ///< the primary goes on alone before the store says so (PROTOCOLS 3.6)
};

enum class Order { kNamesOn, kNamesOff, kSourceless, kPromote };

/// On its way to a server that does not answer; whoever gave it has given up waiting.
struct Late {
    Order order;
    int due = 0;
};

struct Pretended {
    bool up = true;
    bool hung = false;
    bool stopping = false;       ///< takes no new sessions; those that are there may go on for a while
    bool recovery = false;
    bool sourceless = false;
    bool names = false;          ///< names the other one, as SHOW says
    bool names_effective = false;  ///< as committers act: follows a reload late
    std::vector<int> log{};
    std::vector<int> waiting{};  ///< commits that wait for the standby
    std::vector<Late> late{};

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
    World(unsigned seed, Canary canary) : random_(seed), canary_(canary) {
        record_ = {.name = "s1", .primary = NodeId{0}};
        record_.nodes = {Node{.id = NodeId{0}, .name = "a", .host = "h", .port = 1},
                         Node{.id = NodeId{1}, .name = "b", .host = "h", .port = 2}};
        servers_[1].recovery = true;
    }

    void tick(bool with_faults) {
        ++now_;
        if (with_faults) faults();
        arrive();
        reload();
        replicate();
        compact();
        clients();
        look();
        if (chance(90)) decide();
        check();
    }

    void heal() {
        cut_ = false;
        for (Pretended& server : servers_) {
            server.hung = false;
            if (server.stopping) crash(server);
        }
    }
    bool safe() const { return record_.serves() && record_.standing == Standing::kPromotable; }
    std::size_t acknowledged() const { return acknowledgements_; }
    int failovers() const { return static_cast<int>(record_.epoch.value) - 1; }
    bool lost() const { return lost_; }

   private:
    bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
    Pretended& server(NodeId id) { return servers_[id.value]; }
    static NodeId other(NodeId id) { return NodeId{1 - id.value}; }

    static void crash(Pretended& server) {
        server.up = server.hung = server.stopping = false;
        server.waiting.clear();
        server.late.clear();
    }

    void faults() {
        if (chance(2)) cut_ = !cut_;
        for (Pretended& server : servers_) {
            if (chance(2) && server.up) crash(server);
            if (server.stopping && chance(20)) crash(server);
            if (chance(1) && server.up) server.stopping = true;
            if (server.up && chance(server.hung ? 10 : 2)) server.hung = !server.hung;
        }
        // The decider is killed: its successor knows the record and nothing else.
        if (chance(1)) seen_[0] = seen_[1] = Seen{.at = now_, .led = now_};
    }

    /// Orders that were given up, once their server answers again.
    void arrive() {
        for (Pretended& server : servers_) {
            if (!server.answers()) continue;
            for (const Late& late : server.late) {
                if (late.due <= now_) obey(server, late.order);
            }
            std::erase_if(server.late, [this](const Late& late) { return late.due <= now_; });
        }
    }

    static void obey(Pretended& server, Order order) {
        switch (order) {
            case Order::kNamesOn: server.names = true; break;
            case Order::kNamesOff: server.names = false; break;
            case Order::kSourceless: server.sourceless = true; break;
            case Order::kPromote: server.recovery = false; break;
        }
    }

    /// What both have can be lost by nobody: it is forgotten, so that a hundred thousand worlds take seconds.
    void compact() {
        std::vector<int>& a = servers_[0].log;
        std::vector<int>& b = servers_[1].log;
        const auto [end, other_end] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
        if (end == a.begin()) return;
        for (auto id = a.begin(); id != end; ++id) {
            for (Pretended& server : servers_) {
                if (std::erase(server.waiting, *id) > 0) ++acknowledgements_;
            }
            acknowledged_.erase(*id);
        }
        a.erase(a.begin(), end);
        b.erase(b.begin(), other_end);
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
                    ++acknowledgements_;
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
            if (now.stopping && !now.hung && chance(70)) {
                seen.health = Health::kStopping;
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
        if (canary_ == Canary::kTrustsUnproved && view.shard.standing == Standing::kNamed) view.shard.standing = Standing::kPromotable;
        return view;
    }

    void decide() {
        const FailoverView seen = view();
        const NodeId standby = other(record_.primary);
        switch (next(seen)) {
            case Action::kFence: record_ = fenced(seen.shard); break;
            case Action::kStopReceiver: order(record_.primary, Order::kSourceless); break;
            case Action::kRecordDrained: record_.step = FailoverStep::kDrained; break;
            case Action::kClearOwnNames:
            case Action::kClearNames: order(record_.primary, Order::kNamesOff); break;
            case Action::kSetNames: order(record_.primary, Order::kNamesOn); break;
            case Action::kRecordPromoting: record_.step = FailoverStep::kPromoting; break;
            case Action::kPromote: order(record_.primary, Order::kPromote); break;
            case Action::kRecordPromoted: record_.step = FailoverStep::kPromoted; break;
            case Action::kResolve: record_.step = FailoverStep::kResolved; break;
            case Action::kPublish: record_ = published(record_); break;
            case Action::kRecordNamed: record_ = named(record_, standby); break;
            case Action::kRecordAlone:
                if (canary_ == Canary::kKeepsPromotable && chance(50)) order(record_.primary, Order::kNamesOff);
                else record_ = alone(record_);
                break;
            case Action::kProve: prove(standby); break;
            case Action::kRestartPrimary: server(record_.primary).up = true; break;
            case Action::kStartStandby: server(seen.shard.step == FailoverStep::kNone ? standby : record_.primary).up = true; break;
            case Action::kRebuildStandby: rebuild(standby); break;
            default: break;
        }
    }

    /// A server that does not answer gets it later. A new session ends those before it, and what they were to do.
    /// True if it was obeyed at once.
    bool order(NodeId id, Order what) {
        Pretended& target = server(id);
        if (!target.up || (target.stopping && chance(50))) return false;
        const bool lingers = target.hung || chance(5);
        if (canary_ != Canary::kObeysLateOrders && target.answers()) target.late.clear();
        if (!lingers) {
            obey(target, what);
            return true;
        }
        if (canary_ == Canary::kObeysLateOrders || target.late.empty()) target.late.push_back({what, now_ + 1 + static_cast<int>(random_() % 30)});
        return false;
    }

    /// The names are said once more before the proof, so that no order given up earlier comes after it.
    void prove(NodeId standby) {
        const Pretended& primary = server(record_.primary);
        if (!order(record_.primary, Order::kNamesOn)) return;
        if (!primary.writable() || !primary.names_effective || !linked(static_cast<int>(standby.value))) return;
        server(standby).log = primary.log;
        record_ = proved(record_);
    }

    void rebuild(NodeId id) {
        Pretended& broken = server(id);
        const Pretended& primary = server(record_.primary);
        record_ = with_node_state(record_, id, NodeState::kRebuilding);
        if (!primary.writable() || chance(50)) return;
        broken = Pretended{.recovery = true, .log = primary.log};
        record_ = with_node_state(record_, id, NodeState::kReady);
    }

    void check() {
        const Pretended& primary = server(record_.primary);
        if (!record_.serves() || primary.recovery) return;
        const std::set<int> present(primary.log.begin(), primary.log.end());
        lost_ = lost_ || !std::includes(present.begin(), present.end(), acknowledged_.begin(), acknowledged_.end());
    }

    std::mt19937 random_;
    const Canary canary_;
    Shard record_;
    Pretended servers_[2];
    Seen seen_[2];
    std::set<int> acknowledged_;  ///< and not on both servers
    std::size_t acknowledgements_ = 0;
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

constexpr int kFaultTicks = 120;
constexpr int kHealTicks = 400;

Outcome run(unsigned first_seed, int worlds, Canary canary) {
    Outcome outcome;
    for (int i = 0; i < worlds; ++i) {
        World world(first_seed + static_cast<unsigned>(i), canary);
        for (int tick = 0; tick < kFaultTicks; ++tick) world.tick(true);
        world.heal();
        for (int tick = 0; tick < kHealTicks && !world.safe(); ++tick) world.tick(false);
        outcome.lost += world.lost() ? 1 : 0;
        outcome.stuck += world.safe() ? 0 : 1;
        outcome.failovers += world.failovers();
        outcome.acknowledged += world.acknowledged();
        if (canary == Canary::kNone && (world.lost() || !world.safe())) std::printf("world %u\n", first_seed + static_cast<unsigned>(i));
    }
    return outcome;
}

unsigned seed() {
    const char* given = std::getenv("PGM_SEED");
    const unsigned chosen = given != nullptr ? static_cast<unsigned>(std::atoi(given)) : std::random_device{}() % 1'000'000;
    std::printf("PGM_SEED=%u\n", chosen);
    return chosen;
}

// As many schedules as a run of all unit tests can afford; each is another order of faults, looks and steps.
int worlds() {
    const char* given = std::getenv("PGM_WORLDS");
    return given != nullptr ? std::atoi(given) : 100'000;
}

TEST(Simulation, LosesNoAcknowledgedCommitAndAlwaysRecovers) {
    const int count = worlds();
    const Outcome outcome = run(seed(), count, Canary::kNone);
    EXPECT_EQ(outcome.lost, 0);
    EXPECT_EQ(outcome.stuck, 0);
    EXPECT_GT(outcome.failovers, count / 4);
    EXPECT_GT(outcome.acknowledged, static_cast<std::size_t>(count) * 5);
}

/// Some world loses something by the bug. Most are harmless in most worlds, so it goes on until one is not.
bool noticed(Canary canary) {
    constexpr int kWorldsAtATime = 1000;
    const unsigned first = seed();
    for (int batch = 0; batch < 100; ++batch) {
        if (run(first + static_cast<unsigned>(batch * kWorldsAtATime), kWorldsAtATime, canary).lost > 0) return true;
    }
    return false;
}

TEST(Simulation, NoticesADeciderThatTrustsAnUnprovedStandby) { EXPECT_TRUE(noticed(Canary::kTrustsUnproved)); }

TEST(Simulation, NoticesOrdersThatArriveLate) { EXPECT_TRUE(noticed(Canary::kObeysLateOrders)); }

TEST(Simulation, NoticesAPrimaryThatGoesOnAloneUnrecorded) { EXPECT_TRUE(noticed(Canary::kKeepsPromotable)); }

}  // namespace
}  // namespace pgmosaic::replication

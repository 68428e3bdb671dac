#include "coordinator/deadlock/detector.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <tuple>

#include "base/log.h"
#include "coordinator/admin/on_core.h"
#include "coordinator/session.h"

namespace pgmosaic::coordinator::deadlock {

namespace {

/// PostgreSQL's own deadlock_timeout by default.
constexpr Clock::duration kAskTimeout = 1s;
constexpr Clock::duration kLookInterval = 150ms;

constexpr std::uint64_t kStranger = std::uint64_t{1} << 63;

/// Who waits for whom on a server. Blocker 0 is a prepared transaction, which is found by the lock that it holds.
constexpr const char* kWaits =
    "SELECT coalesce(a.leader_pid, a.pid), b.pid, p.gid, "
    "pg_catalog.format('%s on %s %s', w.mode, w.locktype, coalesce(w.transactionid::text, w.relation::text, w.objid::text)) "
    "FROM pg_catalog.pg_stat_activity a "
    "JOIN pg_catalog.pg_locks w ON w.pid = a.pid AND NOT w.granted "
    "CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS b(pid) "
    "LEFT JOIN LATERAL (SELECT x.gid FROM pg_catalog.pg_locks h JOIN pg_catalog.pg_prepared_xacts x "
    "ON h.virtualtransaction = '-1/' || x.transaction::text "
    "WHERE b.pid = 0 AND h.granted AND h.pid IS NULL AND h.locktype = w.locktype "
    "AND h.database IS NOT DISTINCT FROM w.database AND h.relation IS NOT DISTINCT FROM w.relation "
    "AND h.page IS NOT DISTINCT FROM w.page AND h.tuple IS NOT DISTINCT FROM w.tuple "
    "AND h.transactionid IS NOT DISTINCT FROM w.transactionid AND h.classid IS NOT DISTINCT FROM w.classid "
    "AND h.objid IS NOT DISTINCT FROM w.objid AND h.objsubid IS NOT DISTINCT FROM w.objsubid) AS p ON true "
    "WHERE a.wait_event_type = 'Lock'";

std::vector<Suspect> suspects_here(Core& core) {
    std::vector<Suspect> found;
    for (Session* session : core.sessions()) {
        if (auto suspect = session->suspect()) found.push_back(std::move(*suspect));
    }
    return found;
}

Party stranger(ShardId shard, int pid) {
    return Party{kStranger | (std::uint64_t{shard.value} << 32) | static_cast<std::uint32_t>(pid)};
}

std::string name_of(Party party) {
    const auto number = static_cast<std::uint64_t>(party);
    if ((number & kStranger) == 0) return "session " + std::to_string(number);
    return "process " + std::to_string(number & 0xFFFFFFFF);
}

int number_in(const std::optional<std::string>& text) {
    int number = 0;
    if (text) std::from_chars(text->data(), text->data() + text->size(), number);
    return number;
}

/// A transaction that holds something on one shard and waits on another is part of every circle that no server sees.
bool worth_asking(const std::vector<Suspect>& suspects) {
    const Clock::time_point long_ago = Clock::now() - kAskTimeout;
    const auto several = [](const Suspect& suspect) { return suspect.servers.size() > 1; };
    return std::count_if(suspects.begin(), suspects.end(), several) > 1 &&
           std::any_of(suspects.begin(), suspects.end(), [&](const Suspect& s) { return several(s) && s.busy_since <= long_ago; });
}

bool same_circle(const Deadlock& a, const Deadlock& b) { return a.victim == b.victim && a.circle == b.circle; }

Task<> break_there(Core& core, Suspect victim, Error error) {
    for (Session* session : core.sessions()) {
        if (Party{session->id()} == victim.party) session->break_deadlock(victim.busy_since, error);
    }
    co_return;
}

}  // namespace

Task<> Detector::run() {
    while (true) {
        asio::steady_timer timer(co_await asio::this_coro::executor, kLookInterval);
        co_await timer.async_wait(asio::use_awaitable);
        try {
            co_await look();
        } catch (const PgError& error) {
            spdlog::info("deadlock detector_waits {}", log_field("error", error.error().message));
        }
    }
}

Task<> Detector::look() {
    const std::vector<Suspect> first = co_await suspects();
    if (!worth_asking(first)) co_return;
    std::map<Party, Clock::time_point> begun;
    for (const Suspect& suspect : first) begun.emplace(suspect.party, suspect.begun);
    std::vector<Wait> edges = co_await waits(first);
    const std::vector<Deadlock> found = find_deadlocks(std::move(edges), begun);
    if (found.empty()) co_return;
    // The servers were asked one after the other: only what they say again did hold at one moment.
    std::vector<Wait> again = co_await waits(first);
    const std::vector<Deadlock> confirmed = find_deadlocks(std::move(again), begun);
    for (const Deadlock& deadlock : found) {
        const bool same = std::any_of(confirmed.begin(), confirmed.end(), [&](const Deadlock& other) { return same_circle(deadlock, other); });
        if (same) co_await break_up(deadlock, first);
    }
}

Task<std::vector<Suspect>> Detector::suspects() {
    std::vector<Suspect> all;
    for (Core* core : core_.cluster().cores()) {
        std::vector<Suspect> here;
        if (core == &core_) here = suspects_here(core_);
        else here = co_await on_core(*core, suspects_here);
        std::move(here.begin(), here.end(), std::back_inserter(all));
    }
    co_return all;
}

Task<std::vector<Wait>> Detector::waits(const std::vector<Suspect>& suspects) {
    std::map<std::pair<ShardId, int>, Party> parties;
    std::map<std::string, Party> gids;
    std::set<ShardId> shards;
    for (const Suspect& suspect : suspects) {
        for (const auto& server : suspect.servers) {
            parties.emplace(server, suspect.party);
            shards.insert(server.first);
        }
        if (!suspect.gid.empty()) gids.emplace(suspect.gid, suspect.party);
    }
    std::vector<Wait> all;
    for (ShardId shard : shards) {
        if (!core_.service_pool().endpoint(shard).available) continue;
        std::vector<Wait> here = co_await waits_on(shard, parties, gids);
        std::move(here.begin(), here.end(), std::back_inserter(all));
    }
    co_return all;
}

Task<std::vector<Wait>> Detector::waits_on(ShardId shard, const std::map<std::pair<ShardId, int>, Party>& parties,
                                           const std::map<std::string, Party>& gids) {
    const auto party_of = [&](int pid) {
        const auto known = parties.find({shard, pid});
        return known == parties.end() ? stranger(shard, pid) : known->second;
    };
    const auto said = co_await service_query(core_, shard, "postgres", kWaits);
    std::vector<Wait> waits;
    for (const auto& row : said.rows) {
        const int blocker = number_in(row[1]);
        Wait wait{.waiter = party_of(number_in(row[0])), .holder = party_of(blocker), .shard = shard, .what = row[3].value_or("a lock")};
        const auto owner = gids.find(row[2].value_or(""));
        if (blocker == 0 && owner != gids.end()) wait.holder = owner->second;
        // What a session's own server sessions do to each other on one server is no circle of several transactions.
        if (wait.waiter != wait.holder) waits.push_back(std::move(wait));
    }
    std::sort(waits.begin(), waits.end(), [](const Wait& a, const Wait& b) { return std::tie(a.waiter, a.holder) < std::tie(b.waiter, b.holder); });
    co_return waits;
}

std::string Detector::describe(const Deadlock& deadlock) const {
    std::string text;
    for (const Wait& wait : deadlock.circle) {
        std::string line = name_of(wait.waiter) + " waits for " + wait.what + " on shard \"" + core_.map()->shard(wait.shard).name +
                           "\"; blocked by " + name_of(wait.holder) + ".";
        line[0] = static_cast<char>(line[0] - 'a' + 'A');
        text += (text.empty() ? "" : "\n") + line;
    }
    return text;
}

Task<> Detector::break_up(const Deadlock& deadlock, const std::vector<Suspect>& suspects) {
    const auto victim = std::find_if(suspects.begin(), suspects.end(), [&](const Suspect& s) { return s.party == deadlock.victim; });
    if (victim == suspects.end()) co_return;
    Error error{.code = sqlstate::kDeadlockDetected,
                .message = "deadlock detected",
                .detail = describe(deadlock),
                .hint = "Run the transaction again; mosaic.clients shows the sessions."};
    spdlog::info("deadlock broken {} {}", log_field("victim", name_of(victim->party)), log_field("cycle", error.detail));
    Core& there = *core_.cluster().cores().at(static_cast<std::size_t>(victim->core));
    co_await asio::co_spawn(there.executor(), break_there(there, *victim, error), asio::use_awaitable);
}

}  // namespace pgmosaic::coordinator::deadlock

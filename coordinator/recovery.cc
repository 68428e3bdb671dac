#include "coordinator/recovery.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <mutex>

#include "base/fault_point.h"
#include "base/log.h"
#include "coordinator/decision_sweep.h"
#include "coordinator/session.h"
#include "planner/planner.h"

namespace pgmosaic::coordinator {

namespace {

constexpr Clock::duration kPassInterval = 500ms;
/// A shard that could not be read takes part in no read of several shards until it has been.
constexpr Clock::duration kIncompletePassInterval = 100ms;
constexpr Clock::duration kSweepInterval = 5s;

using Decisions = std::map<std::pair<ShardId, std::string>, std::vector<std::string>>;  ///< gids, by shard and database

/// Decisions that all participants have carried out, waiting to be deleted together. Serves several cores.
struct Forgotten {
    std::mutex mutex;
    Decisions gids;
};

Forgotten& forgotten() {
    static Forgotten all;
    return all;
}

void keep_for_later(const Decisions::key_type& where, const std::vector<std::string>& gids) {
    if (gids.empty()) return;
    const std::lock_guard lock(forgotten().mutex);
    auto& waiting = forgotten().gids[where];
    waiting.insert(waiting.end(), gids.begin(), gids.end());
}

/// COMMIT PREPARED without the standby's acknowledgement: the preparation and the decision have theirs, so a standby that takes over
/// without the commit carries it out before it serves (docs/decisions/2026-11-23-phase-two-waits-for-no-standby.md).
/// Returns  false when the shard has, or is about to have, another primary: it may have been asked for what is decided before
/// Errors   throws the server's
Task<bool> finish_unacknowledged(Core& core, ShardId shard, const std::string& database, const std::string& sql) {
    backend::Lease lease = co_await core.service_pool().acquire(shard, database, core.cluster().options().service_user);
    const auto result = co_await backend::run_query_with(*lease, "synchronous_commit", "local", sql, Deadline::after(60s));
    if (!result) {
        lease.discard();
        throw PgError(result.error());
    }
    const backend::Endpoint& now = core.service_pool().endpoint(shard);
    co_return now.available && now.generation == lease.generation();
}

/// One participant's phase two, once. A gid that is gone was finished by recovery, or by an earlier try whose answer was lost: that
/// counts behind a barrier. Errors: throws what kept it from being finished.
Task<bool> finish_once(Core& core, ShardId shard, std::string gid, std::string database, bool commit) {
    const std::string sql = (commit ? "COMMIT PREPARED '" : "ROLLBACK PREPARED '") + gid + "'";
    std::optional<Error> failure;
    try {
        const bool finished = co_await finish_unacknowledged(core, shard, database, sql);
        co_return finished;
    } catch (const PgError& error) {
        failure = error.error();
    }
    if (failure->code != sqlstate::kUndefinedObject) throw PgError(*failure);
    co_await barrier_on(core, shard, std::move(database));
    co_return true;
}

/// Again and again, until it is done or somebody else must go on.
Task<> finish_on(Core& core, ShardId shard, std::string gid, std::string database, bool commit, bool& done) {
    const Deadline deadline = Deadline::after(core.live().wait_timeout * 2);
    while (!done) {
        Error failure{.message = "the shard's primary has changed"};
        try {
            done = co_await finish_once(core, shard, gid, database, commit);
        } catch (const PgError& error) {
            failure = error.error();
        }
        if (done) break;
        if (deadline.passed()) {
            spdlog::warn("transaction left_to_recovery {} {}", log_field("gid", gid), log_field("error", failure.message));
            co_return;
        }
        asio::steady_timer timer(co_await asio::this_coro::executor, 50ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
    core.cluster().database(database)->moment().resolve(gid, shard);
    fault_point("commit:one_finished");
}

}  // namespace

Task<bool> finish_prepared(Core& core, std::vector<ShardId> shards, std::string gid, std::string database, bool commit) {
    std::deque<bool> done(shards.size(), false);
    TaskGroup group(co_await asio::this_coro::executor);
    for (std::size_t i = 0; i < shards.size(); ++i) group.spawn(finish_on(core, shards[i], gid, database, commit, done[i]));
    co_await group.join();
    co_return std::find(done.begin(), done.end(), false) == done.end();
}

Task<Verdict> settle_decision(Core& core, std::string text, std::string database) {
    const auto gid = parse_gid(text);
    PGM_CHECK(gid.has_value(), "a gid of our own can be read");
    const Deadline deadline = Deadline::after(core.live().wait_timeout * 2);
    while (true) {
        try {
            const Verdict verdict = co_await read_decision(core, *gid, text, database, true);
            if (verdict != Verdict::kUnknown) co_return verdict;
        } catch (const PgError& error) {
            spdlog::info("transaction decision_not_read {} {}", log_field("gid", text), log_field("error", error.error().message));
        }
        if (deadline.passed()) co_return Verdict::kUnknown;
        asio::steady_timer timer(co_await asio::this_coro::executor, 50ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

void forget_decision(Core&, ShardId shard, const std::string& gid, const std::string& database) {
    const std::lock_guard lock(forgotten().mutex);
    forgotten().gids[{shard, database}].push_back(gid);
}

Task<> Recovery::run() {
    while (true) {
        bool complete = false;
        try {
            complete = co_await pass();
            co_await delete_forgotten();
            if (complete) co_await sweep();
        } catch (const PgError& error) {
            spdlog::info("recovery waits {}", log_field("error", error.error().message));
        }
        const Clock::duration interval = complete ? kPassInterval : kIncompletePassInterval;
        asio::steady_timer timer(co_await asio::this_coro::executor, interval);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

Task<bool> Recovery::pass() {
    bool complete = true;
    for (ShardId shard : core_.map()->shard_ids()) {
        if (!core_.service_pool().endpoint(shard).available) {
            complete = false;
            continue;
        }
        try {
            if (!co_await finish_shard(shard)) complete = false;
        } catch (const PgError& error) {
            spdlog::info("recovery shard_not_asked {} {}", log_field("shard", core_.map()->shard(shard).name),
                         log_field("error", error.error().message));
            complete = false;
        }
    }
    co_return complete;
}

/// What was in doubt before the shard was asked and is not listed any more is done there.
void Recovery::forget_doubts(ShardId shard, const Doubts& before, const std::set<std::string>& listed) {
    for (const auto& [database, gids] : before) {
        for (const std::string& gid : gids) {
            if (!listed.contains(gid)) database->moment().resolve(gid, shard);
        }
    }
}

Task<bool> Recovery::finish_shard(ShardId shard) {
    Doubts before;
    for (const auto& database : core_.cluster().databases()) before[database] = database->moment().doubts(shard);
    std::set<std::string> listed;
    const auto prepared = co_await service_query(
        core_, shard, "postgres",
        "SELECT gid, database FROM pg_catalog.pg_prepared_xacts WHERE pg_catalog.starts_with(gid, " +
            planner::quote_literal(core_.cluster().gid_prefix()) + ")");
    bool complete = true;
    for (const auto& row : prepared.rows) {
        listed.insert(*row[0]);
        if (core_.cluster().in_flight(*row[0])) continue;
        try {
            co_await finish(shard, *row[0], *row[1]);
        } catch (const PgError& error) {
            spdlog::warn("transaction in_doubt {} {}", log_field("gid", *row[0]), log_field("error", error.error().message));
            core_.cluster().database(*row[1])->moment().doubt(*row[0], shard);
            complete = false;
        }
    }
    forget_doubts(shard, before, listed);
    core_.cluster().shard_was_read(shard);
    co_return complete;
}

Task<> Recovery::finish(ShardId shard, std::string text, std::string database) {
    const auto gid = parse_gid(text);
    if (!gid || gid->decision.value >= core_.map()->shards().size()) {
        throw PgError(Error{.code = sqlstate::kInternalError, .message = "prepared transaction with a name that cannot be read"});
    }
    const Verdict verdict = co_await read_decision(core_, *gid, text, database, true);
    if (verdict == Verdict::kUnknown) throw PgError(Error{.message = "no verdict"});
    const bool commit = verdict == Verdict::kYes;
    const auto known = core_.cluster().database(database);
    const std::vector<ShardId> unresolved(1, shard);
    moment::Hold phase_two;
    if (commit) phase_two = co_await known->moment().commit(text, unresolved, Deadline::after(core_.live().wait_timeout));
    const std::string sql = (commit ? "COMMIT PREPARED '" : "ROLLBACK PREPARED '") + text + "'";
    const auto result = co_await service_query(core_, shard, database, sql);
    if (result.unreplicated) co_await barrier_on(core_, shard, database);
    known->moment().resolve(text, shard);
    spdlog::info("transaction recovered {} verdict={}", log_field("gid", text), commit ? "yes" : "no");
}

Task<> Recovery::sweep() {
    if (!next_sweep_.passed()) co_return;
    next_sweep_ = Deadline::after(kSweepInterval);
    co_await sweep_decisions(core_);
}

Task<> Recovery::delete_forgotten() {
    Decisions batch;
    {
        const std::lock_guard lock(forgotten().mutex);
        batch.swap(forgotten().gids);
    }
    if (batch.empty()) co_return;
    std::set<std::string> needed;
    try {
        needed = co_await prepared_anywhere(core_);
    } catch (const PgError&) {
        for (const auto& [where, gids] : batch) keep_for_later(where, gids);
        throw;
    }
    for (auto& [where, gids] : batch) {
        const auto done = std::partition(gids.begin(), gids.end(), [&](const std::string& gid) { return needed.contains(gid); });
        keep_for_later(where, {gids.begin(), done});
        gids.erase(gids.begin(), done);
        if (gids.empty()) continue;
        try {
            co_await service_query(core_, where.first, where.second, delete_decisions_sql(gids));
        } catch (const PgError& error) {
            if (error.error().code == sqlstate::kInvalidCatalogName) continue;  // the database was dropped
            keep_for_later(where, gids);
        }
    }
}

}  // namespace pgmosaic::coordinator

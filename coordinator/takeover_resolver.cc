#include "coordinator/takeover_resolver.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>

#include "base/log.h"
#include "coordinator/decision.h"
#include "planner/planner.h"

namespace pgmosaic::coordinator {

namespace {

backend::ServerAddress address_of(const ServerOptions& options, const shardmap::Node& node, std::string database) {
    return options.service_address(node.host, node.port, std::move(database));
}

/// A server that does not answer must not hold up the takeover.
constexpr Clock::duration kAskTimeout = 500ms;
/// Replay follows the WAL at once; only what a dead primary sent last may still be under way.
constexpr Clock::duration kReplayTimeout = 1s;

Deadline sooner(Deadline deadline, Clock::duration length) { return {std::min(deadline.at, Clock::now() + length)}; }

std::string decision_sql(const std::string& gid) {
    return "SELECT pg_catalog.pg_is_in_recovery(), "
           "coalesce(pg_catalog.pg_last_wal_replay_lsn() >= pg_catalog.pg_last_wal_receive_lsn(), true), d.verdict, d.nonce "
           "FROM (VALUES (1)) one LEFT JOIN pg_mosaic.decisions d ON d.gid = " + planner::quote_literal(gid);
}

}  // namespace

/// What this server knows for sure: a primary behind a barrier, a standby by having it.
Task<Verdict> TakeoverResolver::ask(shardmap::Node node, std::string gid, std::string database, Deadline deadline) {
    auto session = co_await backend::ServiceConnection::open(address_of(cluster_.options(), node, std::move(database)),
                                                             sooner(deadline, kAskTimeout));
    if (!session) co_return Verdict::kUnknown;
    const Deadline replayed = sooner(deadline, kReplayTimeout);
    while (true) {
        const auto found = co_await (*session)->query(decision_sql(gid), deadline);
        if (!found) co_return Verdict::kUnknown;
        const auto& row = found->rows.front();
        const bool standby = row[0] == "t";
        const bool yes = row[2] == "yes" && row[3] && proof_of(*row[3]) == parse_gid(gid)->proof;
        if (yes && standby) co_return Verdict::kYes;
        if (!standby) {
            const auto barrier = co_await (*session)->query(
                "SET synchronous_commit = on;SELECT pg_catalog.pg_logical_emit_message(true, 'mosaic', '')", deadline);
            if (!barrier || barrier->unreplicated) co_return Verdict::kUnknown;
            co_return yes ? Verdict::kYes : Verdict::kNo;
        }
        if (row[1] == "t" || replayed.passed()) co_return Verdict::kUnknown;
        asio::steady_timer timer(co_await asio::this_coro::executor, 10ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

Task<bool> TakeoverResolver::decided_yes(ShardId shard, shardmap::Node primary, std::string text, std::string database, Deadline deadline) {
    const auto gid = parse_gid(text);
    const auto map = cluster_.map();
    if (!gid || gid->decision.value >= map->shards().size()) co_return false;
    const shardmap::Shard decider = map->shard(gid->decision);
    const shardmap::Node asked = gid->decision == shard ? primary : decider.primary_node();
    Verdict verdict = co_await ask(asked, text, database, deadline);
    if (verdict == Verdict::kUnknown && gid->decision != shard && decider.promotable() != nullptr) {
        const shardmap::Node standby = *decider.promotable();
        verdict = co_await ask(standby, text, database, deadline);
    }
    co_return verdict == Verdict::kYes;
}

Task<Result<void>> TakeoverResolver::resolve(ShardId shard, shardmap::Node primary, Deadline deadline) {
    auto session = co_await backend::ServiceConnection::open(address_of(cluster_.options(), primary, "postgres"), deadline);
    if (!session) co_return session.error();
    const auto prepared = co_await (*session)->query(
        "SELECT gid, database FROM pg_catalog.pg_prepared_xacts WHERE pg_catalog.starts_with(gid, " +
            planner::quote_literal(cluster_.gid_prefix()) + ")", deadline);
    if (!prepared) co_return prepared.error();
    for (const auto& row : prepared->rows) {
        const auto known = cluster_.database(*row[1]);
        // Until somebody has finished it here, no snapshot of several shards includes this one: other shards may show it.
        known->moment().doubt(*row[0], shard);
        const bool yes = co_await decided_yes(shard, primary, *row[0], *row[1], deadline);
        if (!yes) continue;
        auto owner = co_await backend::ServiceConnection::open(address_of(cluster_.options(), primary, *row[1]), deadline);
        if (!owner) co_return owner.error();
        const auto done = co_await (*owner)->query("COMMIT PREPARED " + planner::quote_literal(*row[0]), deadline);
        if (!done && done.error().code != sqlstate::kUndefinedObject) co_return done.error();
        known->moment().resolve(*row[0], shard);
        spdlog::info("transaction resolved_at_takeover {}", log_field("gid", *row[0]));
    }
    co_return Result<void>{};
}

}  // namespace pgmosaic::coordinator

#include "coordinator/takeover_resolver.h"

#include "base/log.h"
#include "coordinator/decision.h"
#include "planner/planner.h"

namespace pgmosaic::coordinator {

namespace {

backend::ServerAddress address_of(const ServerOptions& options, const shardmap::Node& node, std::string database) {
    return options.service_address(node.host, node.port, std::move(database));
}

}  // namespace

Task<bool> TakeoverResolver::decided_yes(ShardId shard, shardmap::Node primary, std::string text, std::string database, Deadline deadline) {
    const auto gid = parse_gid(text);
    const auto map = cluster_.map();
    if (!gid || gid->decision.value >= map->shards().size()) co_return false;
    const shardmap::Node decider = gid->decision == shard ? primary : map->shard(gid->decision).primary_node();
    auto session = co_await backend::ServiceConnection::open(address_of(cluster_.options(), decider, database), deadline);
    if (!session) co_return false;
    const auto found = co_await (*session)->query(
        "SELECT verdict, nonce FROM pg_mosaic.decisions WHERE gid = " + planner::quote_literal(text), deadline);
    if (!found || found->rows.empty() || found->rows[0][0] != "yes" || !found->rows[0][1]) co_return false;
    if (proof_of(*found->rows[0][1]) != gid->proof) co_return false;
    const auto barrier = co_await (*session)->query(
        "SET synchronous_commit = on;SELECT pg_catalog.pg_logical_emit_message(true, 'mosaic', '')", deadline);
    co_return barrier && !barrier->unreplicated;
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

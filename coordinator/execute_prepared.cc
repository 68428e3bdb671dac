#include "coordinator/execute_prepared.h"

#include "coordinator/internal/shard_statement.h"
#include "planner/plan_details.h"

/// Two-phase commit by a client. What the client has prepared is its own to finish: pgmosaic's recovery passes over names that are
/// not its own. A transaction that wrote on several shards would be seen in part while it is being finished, so this is for what
/// lies on the home shard; definitions, which go to all shards, may take part where no table is spread.
namespace pgmosaic::coordinator {

namespace {

Task<std::optional<Error>> try_on(Session& session, ShardId shard, std::string sql) {
    std::optional<Error> failure;
    bool barrier = false;
    try {
        const auto result = co_await session.query_shard(shard, std::move(sql), true);
        barrier = result.unreplicated;
    } catch (const PgError& error) {
        failure = error.error();
    }
    // What its standby has not acknowledged is not done yet (PROTOCOLS 1.2).
    if (barrier) co_await session.barrier(shard);
    co_return failure;
}

/// Home last: while it still lists the name, the rest can be finished by saying the same again.
std::vector<ShardId> home_last(const Session& session, std::vector<ShardId> shards) {
    std::vector<ShardId> ordered;
    for (ShardId shard : shards) {
        if (shard != session.home()) ordered.push_back(shard);
    }
    ordered.push_back(session.home());
    return ordered;
}

Task<bool> has_prepared(Session& session, ShardId shard, std::string gid) {
    const auto found = co_await session.query_shard(
        shard, "SELECT 1 FROM pg_catalog.pg_prepared_xacts WHERE gid = " + planner::quote_literal(gid) + " AND database = pg_catalog.current_database()", false);
    co_return !found.rows.empty();
}

}  // namespace

Task<std::string> prepare_for_client(Session& session, std::string gid) {
    Transaction& transaction = session.transaction();
    const std::string sql = "PREPARE TRANSACTION " + planner::quote_literal(gid);
    if (transaction.mode() != Transaction::Mode::kExplicit) {
        throw PgError(Error{.code = sqlstate::kNoActiveSqlTransaction, .message = "PREPARE TRANSACTION can only be used in transaction blocks"});
    }
    if (transaction.failed()) {
        co_await session.rollback();
        co_return "ROLLBACK";
    }
    if (!transaction.channel_changes().empty()) {
        co_await session.rollback();
        throw PgError(Error{.code = sqlstate::kFeatureNotSupported,
                            .message = "cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY"});
    }
    std::vector<ShardId> writers;
    for (auto& [shard, participant] : transaction.participants()) {
        if (participant.wrote && shard != session.home()) writers.push_back(shard);
    }
    if (!writers.empty() && planner::has_spread_tables(*session.environment().catalog)) {
        throw PgError(refusal("cannot use two-phase commit from a client for a transaction on several shards",
                              "Transactions over several shards are made atomic with prepared transactions of pgmosaic's own.",
                              "Use COMMIT: it commits on all shards or on none."));
    }
    std::vector<ShardId> prepared;
    std::optional<Error> failure;
    for (ShardId shard : home_last(session, writers)) {
        failure = co_await try_on(session, shard, sql);
        if (failure) break;
        transaction.find(shard)->began = false;
        prepared.push_back(shard);
    }
    if (!failure) {
        co_await session.commit();  // those that only read
        co_return "PREPARE TRANSACTION";
    }
    // PostgreSQL has rolled back what could not be prepared; the rest follows.
    co_await session.rollback();
    for (ShardId shard : prepared) co_await try_on(session, shard, "ROLLBACK PREPARED " + planner::quote_literal(gid));
    session.release_statement_leases();
    throw PgError(*failure);
}

Task<> finish_for_client(Session& session, const planner::Statement& statement) {
    if (session.transaction().open()) {
        throw PgError(Error{.code = sqlstate::kActiveSqlTransaction, .message = statement.tag + " cannot run inside a transaction block"});
    }
    const std::string sql = statement.tag + " " + planner::quote_literal(statement.name);
    for (ShardId shard : home_last(session, session.core().map()->shard_ids())) {
        bool here = shard == session.home();
        if (!here) here = co_await has_prepared(session, shard, statement.name);
        if (!here) continue;
        const auto failure = co_await try_on(session, shard, sql);
        if (failure) throw PgError(*failure);
    }
    session.release_statement_leases();
    session.schema_changed();
}

}  // namespace pgmosaic::coordinator

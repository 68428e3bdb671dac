#include "coordinator/admin/admin.h"
#include "coordinator/execute.h"
#include "coordinator/internal/shard_statement.h"

namespace pgmosaic::coordinator {

namespace {

/// Home judges the statement and gives the answer; its notices pass, its tag is kept until all shards have agreed.
Task<std::string> run_on_home(Session& session, std::string_view sql) {
    Participant* participant = co_await session.use_shard(session.home(), true);
    Relay& relay = session.relay();
    session.start_relay(*participant);
    wire::write_query(participant->connection().out(), sql);
    relay.expect({.kind = Expect::Kind::kQuery, .swallow_complete = true});
    relay.keep_tags = true;
    co_await relay.drain(participant->connection(), session.client());
    relay.keep_tags = false;
    if (relay.failed()) throw StatementFailed{};
    co_return relay.tag();
}

/// Statements that PostgreSQL runs in no transaction: one shard after the other, home first.
Task<std::string> run_one_by_one(Session& session, const std::string& sql) {
    const std::string tag = co_await run_on_home(session, sql);
    session.release_statement_leases();
    for (ShardId shard : session.other_shards()) {
        std::optional<Error> failure;
        try {
            const std::vector<ShardId> one(1, shard);
            co_await run_on_shards(session, one, sql, true);
        } catch (const PgError& error) {
            failure = error.error();
        }
        session.release_statement_leases();
        if (!failure) continue;
        failure->detail += (failure->detail.empty() ? "" : " ") +
                           std::string("The statement has been carried out on the shards before \"") + session.shard_name(shard) + "\".";
        failure->hint = "Mend the cause and run the statement again, with IF [NOT] EXISTS where it has it.";
        throw PgError(*failure);
    }
    co_return tag;
}

}  // namespace

Task<> execute_broadcast(Session& session, const Request& request) {
    const planner::Statement& statement = request.statement;
    if (statement.command == planner::Command::kCreateDatabase) {
        co_await run_create_database(session, request);
        co_return;
    }
    if (statement.command == planner::Command::kDropDatabase) {
        co_await run_drop_database(session, request);
        co_return;
    }
    const std::string sql(statement.rewritten.empty() ? request.sql : std::string_view(statement.rewritten));
    std::string tag;
    bool own = false;
    try {
        if (statement.needs_no_transaction) {
            tag = co_await run_one_by_one(session, sql);
        } else {
            own = session.ensure_transaction();
            tag = co_await run_on_home(session, sql);
            co_await run_on_shards(session, session.other_shards(), sql, true);
        }
    } catch (const backend::ConnectionLost&) {
        session.on_connection_lost(!session.transaction().open(), false);
    }
    if (statement.changes_catalog || statement.command == planner::Command::kDdl) session.schema_changed();
    if (statement.then) co_await run_admin_call(session, *statement.then, request);
    if (own) co_await session.commit();
    session.complete(request, std::move(tag));
}

}  // namespace pgmosaic::coordinator

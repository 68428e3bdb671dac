#include "coordinator/admin/admin.h"
#include "coordinator/execute.h"
#include "coordinator/execute_insert_select.h"
#include "coordinator/internal/retire_servers.h"
#include "coordinator/internal/role_password.h"
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

/// What a statement names is not there.
bool is_undefined(const Error& error) {
    for (const char* code : {"42P01", "42704", "42883", "42703", "3F000"}) {
        if (error.code.view() == code) return true;
    }
    return false;
}

constexpr const char* kUndo = "ROLLBACK TO SAVEPOINT pgm_elsewhere";

/// Runs behind a savepoint. False: it names what some shard does not have, and is undone on all of them.
Task<bool> run_guarded(Session& session, const std::vector<ShardId>& shards, std::string sql) {
    std::optional<Error> failure;
    try {
        co_await run_on_shards(session, shards, "SAVEPOINT pgm_elsewhere;" + sql, true);
    } catch (const PgError& error) {
        failure = error.error();
    }
    if (failure && !is_undefined(*failure)) throw PgError(*failure);
    if (failure) co_await run_on_shards(session, shards, kUndo, true);
    co_await run_on_shards(session, shards, "RELEASE SAVEPOINT pgm_elsewhere", true);
    co_return !failure;
}

/// A shard that lacks what the statement names goes on without it: it lies on the home shard only.
Task<> run_where_possible(Session& session, const std::vector<ShardId>& shards, const std::string& sql) {
    const bool everywhere = co_await run_guarded(session, shards, sql);
    if (everywhere) co_return;
    for (ShardId shard : shards) {
        const std::vector<ShardId> one(1, shard);
        co_await run_guarded(session, one, sql);
    }
}

/// The other shards run the same, or what comes to the same there.
Task<> run_elsewhere(Session& session, const planner::PlanDetails& details, const std::string& sql) {
    const std::vector<ShardId> shards = session.other_shards();
    if (details.elsewhere_query.empty()) {
        const std::string& text = details.elsewhere.empty() ? sql : details.elsewhere;
        // No conditional expression: GCC 12 awaits both of its branches.
        if (details.elsewhere_optional) co_await run_where_possible(session, shards, text);
        else co_await run_on_shards(session, shards, text, true);
        co_return;
    }
    const auto statements = co_await session.query_shard(session.home(), details.elsewhere_query, true);
    for (const auto& row : statements.rows) co_await run_on_shards(session, shards, row.at(0).value_or(""), true);
}

/// Statements that PostgreSQL runs in no transaction: one shard after the other, home first.
Task<std::string> run_one_by_one(Session& session, const std::string& sql, bool optional) {
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
        if (!failure || (optional && is_undefined(*failure))) continue;
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
    if (statement.tag == "ALTER DATABASE" && !statement.name.empty()) {
        co_await run_rename_database(session, request);
        co_return;
    }
    std::string sql(statement.rewritten.empty() ? request.sql : std::string_view(statement.rewritten));
    const planner::PlanDetails& details = planner::details_of(statement);
    std::string tag;
    bool own = false;
    try {
        if (statement.needs_no_transaction) {
            tag = co_await run_one_by_one(session, sql, details.elsewhere_optional);
        } else {
            own = session.ensure_transaction();
            sql = co_await with_hashed_password(session, details, std::move(sql));
            tag = co_await run_on_home(session, sql);
            co_await run_elsewhere(session, details, sql);
            if (details.selects) tag = co_await insert_rows(session, request, details.rows);
        }
    } catch (const backend::ConnectionLost&) {
        session.on_connection_lost(!session.transaction().open(), false);
    }
    if (statement.changes_catalog || statement.command == planner::Command::kDdl) session.schema_changed();
    if (statement.then) co_await run_admin_call(session, *statement.then, request);
    if (details.changes_defaults && session.transaction().open()) session.transaction().changed_defaults = true;
    else if (details.changes_defaults) co_await retire_servers(session.core().cluster());
    if (own) co_await session.commit();
    session.complete(request, std::move(tag));
}

}  // namespace pgmosaic::coordinator

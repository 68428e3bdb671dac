#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <regex>

#include "base/log.h"
#include "coordinator/admin/admin.h"
#include "coordinator/admin/on_core.h"
#include "coordinator/admin/workbench_database.h"
#include "coordinator/internal/shard_statement.h"

namespace pgmosaic::coordinator {

namespace {

/// Recovery finishes what is prepared within a second or two.
constexpr Clock::duration kWaitForPrepared = 3s;
/// As long as PostgreSQL waits for sessions that are just ending (CountOtherDBBackends).
constexpr Clock::duration kWaitForClients = 5s;
constexpr Clock::duration kLookAgain = 100ms;

// ---------------------------------------------------------------- what other cores must do

Task<> close_idle_there(Core& core, std::string database) {
    core.pool().close_idle(database);
    core.service_pool().close_idle(database);
    co_return;
}

/// PostgreSQL neither drops nor copies a database that has sessions; ours must not be the ones.
Task<> close_idle_everywhere(Session& session, std::string database) {
    for (Core* core : session.core().cluster().cores()) {
        co_await asio::co_spawn(core->executor(), close_idle_there(*core, database), asio::use_awaitable);
    }
}

Task<int> clients_there(Core& core, std::string database, bool shut_down) {
    int count = 0;
    for (Session* session : core.sessions()) {
        if (session->database() != database) continue;
        ++count;
        if (shut_down) session->shut_down();
    }
    co_return count;
}

Task<int> clients_everywhere(Session& session, std::string database, bool shut_down) {
    int count = 0;
    for (Core* core : session.core().cluster().cores()) {
        count += co_await asio::co_spawn(core->executor(), clients_there(*core, database, shut_down), asio::use_awaitable);
    }
    co_return count;
}

// ---------------------------------------------------------------- CREATE

/// The database that is copied: after TEMPLATE, or the usual one.
std::string template_of(const std::string& sql) {
    static const std::regex kTemplate(R"re(\btemplate\s*=?\s*("(?:[^"]|"")+"|'[^']+'|[A-Za-z_][A-Za-z0-9_$]*))re", std::regex::icase);
    std::smatch found;
    if (!std::regex_search(sql, found, kTemplate)) return "template1";
    std::string name = found[1];
    if (name.front() == '"' || name.front() == '\'') return name.substr(1, name.size() - 2);
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return name == "default" ? "template1" : name;
}

/// False also where there is no such database, or it cannot be looked into: the statement itself says so then.
Task<bool> spreads_tables(Session& session, std::string name) {
    backend::QueryResult placed;
    try {
        placed = co_await session.query_service(
            session.home(), "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('pg_mosaic.tables'))", name);
        if (placed.scalar() == "t") {
            placed = co_await session.query_service(session.home(), "SELECT EXISTS (SELECT FROM pg_mosaic.tables)", name);
        }
    } catch (const PgError&) {
        co_return false;
    }
    co_return placed.scalar() == "t";
}

/// A copy would name the groups of the database that it was copied from, which may be dropped.
Task<> check_template(Session& session, std::string name) {
    if (name == "template0" || name == "template1") co_return;
    const bool spread = co_await spreads_tables(session, name);
    if (spread) {
        throw PgError(refusal("database \"" + name + "\" cannot be a template", "It has distributed tables.",
                              "Use template0 or template1, and restore a dump."));
    }
}

/// Home did not know the name, so what another shard has is left over from a DROP or CREATE that was cut short.
Task<> drop_left_over(Session& session, std::string name) {
    for (ShardId shard : session.other_shards()) {
        const auto found = co_await session.query_service(
            shard, "SELECT FROM pg_catalog.pg_database WHERE datname = " + planner::quote_literal(name), "postgres");
        if (found.rows.empty()) continue;
        spdlog::warn("databases left_over_dropped {} {}", log_field("database", name), log_field("shard", session.shard_name(shard)));
        co_await session.query_service(shard, "DROP DATABASE " + planner::quote_identifier(name) + " WITH (FORCE)", "postgres");
    }
}

Task<> take_back(Session& session, std::string name) {
    co_await close_idle_everywhere(session, name);
    for (ShardId shard : session.core().cluster().map()->shard_ids()) {
        std::optional<Error> failure;
        try {
            co_await session.query_service(shard, "DROP DATABASE IF EXISTS " + planner::quote_identifier(name) + " WITH (FORCE)", "postgres");
        } catch (const PgError& error) {
            failure = error.error();
        }
        if (failure) {
            spdlog::warn("databases not_taken_back {} {} {}", log_field("database", name), log_field("shard", session.shard_name(shard)),
                         log_field("error", failure->message));
        }
    }
    session.core().cluster().forget_database(name);
}

Task<> create_on_others(Session& session, std::string name, std::string sql) {
    co_await drop_left_over(session, name);
    co_await run_on_shards(session, session.other_shards(), sql, true);
    session.release_statement_leases();
    co_await prepare_database(session.core(), name);
    session.core().cluster().database(name)->set_prepared();
}

// ---------------------------------------------------------------- DROP

Error in_use(const std::string& name, const std::string& detail) {
    return Error{.code = sqlstate::kObjectInUse, .message = "database \"" + name + "\" is being accessed by other users", .detail = detail};
}

/// Clients that are just leaving are waited for. Errors: 55006
Task<> wait_for_clients(Session& session, std::string name, bool force) {
    int clients = co_await clients_everywhere(session, name, force);
    const Deadline deadline = Deadline::after(kWaitForClients);
    while (clients > 0 && !force && !deadline.passed()) {
        asio::steady_timer timer(co_await asio::this_coro::executor, kLookAgain);
        co_await timer.async_wait(asio::use_awaitable);
        clients = co_await clients_everywhere(session, name, false);
    }
    if (clients > 0 && !force) {
        throw PgError(in_use(name, clients == 1 ? "There is 1 other session using the database."
                                                : "There are " + std::to_string(clients) + " other sessions using the database."));
    }
}

/// Errors that must come before anybody is disturbed.
Task<> check_drop(Session& session, std::string name, bool force) {
    const auto owned = co_await session.query_shard(
        session.home(),
        "SELECT pg_catalog.pg_has_role(current_user, datdba, 'USAGE') FROM pg_catalog.pg_database WHERE datname = " + planner::quote_literal(name), false);
    session.release_statement_leases();
    if (owned.scalar() != "t") {
        throw PgError(Error{.code = sqlstate::kInsufficientPrivilege, .message = "must be owner of database " + name});
    }
    if (name == session.database()) {
        throw PgError(Error{.code = sqlstate::kObjectInUse, .message = "cannot drop the currently open database"});
    }
    co_await wait_for_clients(session, name, force);
}

/// Prepared transactions keep a database from being dropped, and recovery ends them.
Task<> wait_for_prepared(Session& session, std::string name) {
    const Deadline deadline = Deadline::after(kWaitForPrepared);
    for (ShardId shard : session.core().cluster().map()->shard_ids()) {
        while (true) {
            const auto found = co_await session.query_service(
                shard, "SELECT FROM pg_catalog.pg_prepared_xacts WHERE database = " + planner::quote_literal(name), "postgres");
            if (found.rows.empty()) break;
            if (deadline.passed()) {
                throw PgError(in_use(name, "There is a prepared transaction using the database on shard \"" + session.shard_name(shard) + "\"."));
            }
            asio::steady_timer timer(co_await asio::this_coro::executor, 100ms);
            co_await timer.async_wait(asio::use_awaitable);
        }
    }
}

/// The shards that PostgreSQL still has to be told; home has dropped it, so nobody can reach it any more.
Task<> drop_on_others(Session& session, std::string name) {
    std::optional<Error> failure;
    try {
        co_await run_on_shards(session, session.other_shards(), "DROP DATABASE IF EXISTS " + planner::quote_identifier(name) + " WITH (FORCE)", true);
    } catch (const PgError& error) {
        failure = error.error();
    }
    session.release_statement_leases();
    if (!failure) co_return;
    spdlog::warn("databases left_over {} {}", log_field("database", name), log_field("error", failure->message));
}

Task<> forget(Session& session, std::string name) {
    Cluster& cluster = session.core().cluster();
    cluster.forget_database(name);
    if (!cluster.forget_groups) co_return;
    const Result<void> forgotten = cluster.forget_groups(name);
    if (!forgotten) spdlog::warn("databases groups_not_forgotten {} {}", log_field("database", name), log_field("error", forgotten.error().message));
}

/// A session of pgmosaic's own (recovery, the catalog) may have been at work there while the idle ones were closed: it is
/// idle by the second attempt.
Task<> drop_at_home(Session& session, std::string name, std::string sql) {
    for (int attempt = 1;; ++attempt) {
        co_await close_idle_everywhere(session, name);
        std::optional<Error> failure;
        try {
            co_await session.query_shard(session.home(), sql, true);
        } catch (const PgError& error) {
            failure = error.error();
        }
        session.release_statement_leases();
        if (!failure) co_return;
        if (attempt == 2 || failure->code != sqlstate::kObjectInUse) throw PgError(*failure);
    }
}

/// Home's own answer, for what it refuses or passes over (IF EXISTS).
Task<> answer_of_home(Session& session, const Request& request) {
    Participant* participant = co_await session.use_shard(session.home(), false);
    Relay& relay = session.relay();
    session.start_relay(*participant);
    wire::write_query(participant->connection().out(), request.sql);
    relay.expect({.kind = Expect::Kind::kQuery});
    co_await relay.drain(participant->connection(), session.client());
    const bool failed = relay.failed();
    session.release_statement_leases();
    if (failed) throw StatementFailed{};
}

}  // namespace

Task<> run_create_database(Session& session, const Request& request) {
    const std::string name = request.statement.name;
    const std::string sql(request.sql);
    co_await check_template(session, template_of(sql));
    co_await close_idle_everywhere(session, template_of(sql));
    co_await session.query_shard(session.home(), sql, true);
    session.release_statement_leases();
    std::optional<Error> failure;
    try {
        co_await create_on_others(session, name, sql);
    } catch (const PgError& error) {
        failure = error.error();
    }
    if (failure) {
        session.release_statement_leases();
        co_await take_back(session, name);
        throw PgError(*failure);
    }
    co_await create_on_workbench(session, name);
    session.complete(request, "CREATE DATABASE");
}

Task<> run_drop_database(Session& session, const Request& request) {
    const std::string name = request.statement.name;
    const auto found = co_await session.query_service(
        session.home(), "SELECT FROM pg_catalog.pg_database WHERE datname = " + planner::quote_literal(name), "postgres");
    if (found.rows.empty()) {
        co_await answer_of_home(session, request);
        co_return;
    }
    co_await check_drop(session, name, request.statement.force);
    co_await wait_for_prepared(session, name);
    co_await drop_at_home(session, name, std::string(request.sql));
    co_await drop_on_others(session, name);
    co_await forget(session, name);
    co_await drop_on_workbench(session, name);
    session.complete(request, "DROP DATABASE");
}

/// ALTER DATABASE … RENAME. The shard map names the groups of tables by their database: one that has any keeps its name.
Task<> run_rename_database(Session& session, const Request& request) {
    const std::string name = request.statement.name;
    const bool spread = co_await spreads_tables(session, name);
    if (spread) {
        throw PgError(refusal("database \"" + name + "\" cannot be renamed", "It has distributed tables.",
                              "Create a database of the new name, and restore a dump."));
    }
    if (name != session.database()) {
        co_await wait_for_clients(session, name, false);
        co_await close_idle_everywhere(session, name);
    }
    const std::string sql(request.sql);
    const bool own = session.ensure_transaction();
    co_await session.query_shard(session.home(), sql, true);
    co_await run_on_shards(session, session.other_shards(), sql, true);
    if (own) co_await session.commit();
    session.core().cluster().forget_database(name);
    co_await drop_on_workbench(session, name);
    session.complete(request, "ALTER DATABASE");
}

}  // namespace pgmosaic::coordinator

#include <algorithm>

#include "coordinator/execute.h"
#include "coordinator/execute_prepared.h"
#include "coordinator/internal/retire_servers.h"
#include "coordinator/login.h"
#include "coordinator/session.h"
#include "planner/plan_details.h"

namespace pgmosaic::coordinator {

using planner::Command;
using planner::TransactionVerb;

namespace {

Error warning(SqlState code, std::string message) {
    return Error{.code = code, .message = std::move(message), .severity = "WARNING"};
}

Error only_in_block(const std::string& what) {
    return Error{.code = sqlstate::kNoActiveSqlTransaction, .message = what + " can only be used in transaction blocks"};
}

/// Marks, in the place of what a plan was made for, a statement that the home shard's own session has prepared.
constexpr std::uint64_t kPreparedAtHome = 1;

bool prepared_at_home(const PreparedStatement& prepared) { return prepared.environment == kPreparedAtHome && !prepared.planned.text; }

}  // namespace

Task<> Session::run_local(const Request& request) {
    const planner::Statement& statement = request.statement;
    switch (statement.command) {
        case Command::kEmpty: wire::write_empty(answer(), 'I'); break;
        case Command::kTransaction: co_await run_transaction_verb(statement); break;
        case Command::kSet:
        case Command::kReset: co_await run_set(request); break;
        case Command::kDiscard: co_await run_discard(request); break;
        case Command::kPrepare: co_await run_sql_prepare(request); break;
        case Command::kExecute: co_await run_sql_execute(request); break;
        case Command::kDeallocate: {
            std::string at_home;
            for (const auto& [name, prepared] : prepared_) {
                const bool meant = statement.name.empty() || name == statement.name;
                if (meant && prepared_at_home(*prepared)) at_home += "DEALLOCATE " + planner::quote_identifier(name) + ";";
            }
            if (!at_home.empty() && pinned_.contains(home())) co_await query_shard(home(), at_home, false);
            if (!transaction_.open()) release_statement_leases();
            run_sql_deallocate(request);
            break;
        }
        case Command::kShow: co_await show_own(request); break;
        case Command::kExportSnapshot: co_await export_snapshot(request); break;
        case Command::kListening: show_channels(request); break;
        case Command::kListen:
        case Command::kUnlisten: co_await run_listen(statement); break;
        case Command::kFetch:
        case Command::kClose: co_await run_cursor(request); break;
        default:
            throw PgError(refusal("this statement is not available through the endpoint yet", statement.reason));
    }
}

// ---------------------------------------------------------------- transactions

Task<> Session::run_transaction_verb(const planner::Statement& statement) {
    const bool in_block = transaction_.mode() == Transaction::Mode::kExplicit;
    std::string tag = statement.tag;
    switch (statement.verb) {
        case TransactionVerb::kBegin:
            if (in_block) {
                wire::write_notice(client_.out(), warning(sqlstate::kActiveSqlTransaction, "there is already a transaction in progress"));
            } else if (transaction_.open()) {
                if (!statement.argument.empty()) {
                    co_await on_all_participants("SET TRANSACTION " + statement.argument);
                    transaction_.set_begin_sql("BEGIN " + statement.argument);
                }
                transaction_.make_explicit();
            } else {
                transaction_.begin(Transaction::Mode::kExplicit,
                                   statement.argument.empty() ? "BEGIN" : "BEGIN " + statement.argument, settings_);
            }
            break;
        case TransactionVerb::kCommit:
        case TransactionVerb::kRollback: {
            const bool commits = statement.verb == TransactionVerb::kCommit;
            if (!in_block && statement.chain) throw PgError(only_in_block(tag + " AND CHAIN"));
            const std::string begin_sql = transaction_.begin_sql();
            if (!in_block) {
                wire::write_notice(client_.out(), warning(sqlstate::kNoActiveSqlTransaction, "there is no transaction in progress"));
            }
            if (commits && !transaction_.failed()) {
                co_await commit();
            } else {
                if (commits) tag = "ROLLBACK";
                co_await rollback();
            }
            if (statement.chain) transaction_.begin(Transaction::Mode::kExplicit, begin_sql, settings_);
            break;
        }
        case TransactionVerb::kSavepoint:
        case TransactionVerb::kRelease:
        case TransactionVerb::kRollbackTo: co_await run_savepoint(statement); break;
        case TransactionVerb::kPrepareTransaction: tag = co_await prepare_for_client(*this, statement.name); break;
        case TransactionVerb::kCommitPrepared:
        case TransactionVerb::kRollbackPrepared: co_await finish_for_client(*this, statement); break;
        case TransactionVerb::kNone: throw PgError(refusal("this transaction command is not supported"));
    }
    wire::write_command_complete(answer(), tag);
}

Task<> Session::run_savepoint(const planner::Statement& statement) {
    if (transaction_.mode() != Transaction::Mode::kExplicit) throw PgError(only_in_block(statement.tag.starts_with("ROLLBACK") ? "ROLLBACK TO SAVEPOINT" : statement.tag == "RELEASE" ? "RELEASE SAVEPOINT" : "SAVEPOINT"));
    auto& savepoints = transaction_.savepoints();
    const std::string quoted = planner::quote_identifier(statement.name);
    if (statement.verb == TransactionVerb::kSavepoint) {
        co_await on_all_participants("SAVEPOINT " + quoted);
        savepoints.push_back({statement.name, settings_, transaction_.channel_changes().size()});
        co_return;
    }
    const auto found = std::find_if(savepoints.rbegin(), savepoints.rend(),
                                    [&](const Transaction::Savepoint& s) { return s.name == statement.name; });
    if (found == savepoints.rend()) {
        throw PgError(Error{.code = sqlstate::kInvalidSavepoint, .message = "savepoint \"" + statement.name + "\" does not exist"});
    }
    const auto place = std::prev(found.base());
    if (statement.verb == TransactionVerb::kRelease) {
        co_await on_all_participants("RELEASE SAVEPOINT " + quoted);
        const auto left = static_cast<std::size_t>(place - savepoints.begin());
        for (auto& [name, cursor] : cursors_) cursor.savepoints = std::min(cursor.savepoints, left);
        savepoints.erase(place, savepoints.end());
        co_return;
    }
    co_await on_all_participants("ROLLBACK TO SAVEPOINT " + quoted);
    forget_cursors_behind(static_cast<std::size_t>(place - savepoints.begin()));
    settings_ = place->settings;
    transaction_.channel_changes().resize(place->channel_changes);
    // A server that joined later has other settings than we now believe: it is told all of them next time.
    for (auto& [shard, participant] : transaction_.participants()) participant.settings_before.reset();
    savepoints.erase(std::next(place), savepoints.end());
    transaction_.recover();
    if (transaction_.changed_catalog) schema_changed();
    identity_stale_ = true;
}

Task<> Session::on_all_participants(std::string sql) {
    std::optional<Error> failure;
    for (auto& [shard, participant] : transaction_.participants()) {
        if (participant.ready_to_skip > 0) {
            start_relay(participant);
            co_await relay_.drain(participant.connection(), client_);
        }
        const auto result = co_await backend::run_query(participant.connection(), sql, Deadline::never());
        if (!result && participant.connection().broken) throw backend::ConnectionLost(result.error());
        if (!result && !failure) failure = result.error();
    }
    if (failure) throw PgError(*failure);
}

Task<> Session::rollback() {
    if (!transaction_.open()) co_return;
    for (auto& [shard, participant] : transaction_.participants()) {
        backend::Connection& connection = participant.connection();
        if (connection.broken || !participant.began) continue;
        if (!connection.out().empty() || !connection.stream().input().empty() || !relay_.idle()) {
            connection.broken = true;  // something is still under way on it: closing it rolls back, too
            continue;
        }
        const auto result = co_await backend::run_query(connection, "ROLLBACK", Deadline::after(10s));
        if (!result) connection.broken = true;
    }
    co_await end_transaction(false);
}

Task<> Session::end_transaction(bool committed) {
    const bool changed = transaction_.changed_catalog;
    if (!committed && transaction_.settings_at_begin()) {
        if (settings_ != transaction_.settings_at_begin()) identity_stale_ = true;
        settings_ = transaction_.settings_at_begin();
    }
    for (auto& [shard, participant] : transaction_.participants()) {
        // Null: nothing is known, everything is set anew.
        participant.connection().settings = committed && participant.settings_before ? settings_ : participant.settings_before;
        participant.connection().fresh = false;
    }
    for (auto& [name, portal] : portals_) portal.shard.reset();
    portals_.clear();
    forget_cursors(committed);
    const bool defaults_changed = committed && transaction_.changed_defaults;
    transaction_.end();
    if (changed) {
        environment_catalog_ = 0;
        if (committed) schema_changed();
    }
    if (defaults_changed) co_await retire_servers(core_.cluster());
}

// ---------------------------------------------------------------- PREPARE and EXECUTE as statements

Task<> Session::run_sql_prepare(const Request& request) {
    const planner::Statement& statement = request.statement;
    if (prepared_.contains(statement.name)) {
        throw PgError(Error{.code = sqlstate::kDuplicatePreparedStatement,
                            .message = "prepared statement \"" + statement.name + "\" already exists"});
    }
    auto prepared = std::make_shared<PreparedStatement>();
    prepared->sql = statement.argument;
    prepared->named = true;
    prepared->sql_types = statement.type_names;
    if (!planner::has_spread_tables(*environment_.catalog)) {
        prepared->environment = kPreparedAtHome;
        co_await pin(home());
        co_await run_route(request, home());
        if (relay_.failed()) co_return;  // the client has the error, and ReadyForQuery with it
    } else {
        wire::write_command_complete(answer(), "PREPARE");
    }
    prepared_[statement.name] = std::move(prepared);
}

/// The prepared text with its parameters replaced by the arguments, run as if it had been written so.
Task<> Session::run_sql_execute(const Request& request) {
    const auto found = prepared_.find(request.statement.name);
    if (found == prepared_.end()) {
        throw PgError(Error{.code = sqlstate::kInvalidSqlStatementName,
                            .message = "prepared statement \"" + request.statement.name + "\" does not exist"});
    }
    if (prepared_at_home(*found->second) && !planner::has_spread_tables(*environment_.catalog) && pinned_.contains(home())) {
        co_await run_route(request, home());
        co_return;
    }
    if (!request.simple()) {
        throw PgError(refusal("EXECUTE is not available in the extended protocol", {}, "Bind the statement by the protocol."));
    }
    const std::string sql = planner::substitute_parameters(found->second->sql, request.statement.arguments, found->second->sql_types);
    planner::Planned planned;
    core_.planner(database_name_).plan(sql, environment_, planned);
    if (planned.text->syntax_error) throw PgError(*planned.text->syntax_error);
    const planner::Statement& inner = planned.text->statements.front();
    co_await run_statement(Request{inner, sql, planned.literals});
}

void Session::run_sql_deallocate(const Request& request) {
    if (request.statement.name.empty()) {
        prepared_.clear();
        wire::write_command_complete(answer(), "DEALLOCATE ALL");
        return;
    }
    if (prepared_.erase(request.statement.name) == 0) {
        throw PgError(Error{.code = sqlstate::kInvalidSqlStatementName,
                            .message = "prepared statement \"" + request.statement.name + "\" does not exist"});
    }
    wire::write_command_complete(answer(), "DEALLOCATE");
}

}  // namespace pgmosaic::coordinator

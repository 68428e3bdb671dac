#include <algorithm>
#include <charconv>

#include "coordinator/execute.h"
#include "coordinator/internal/fixed_time.h"
#include "coordinator/internal/lost_errors.h"
#include "coordinator/internal/sequence_reads.h"
#include "coordinator/session.h"
#include "planner/plan_details.h"
#include "shardmap/hash.h"
#include "shardmap/key_types.h"

namespace pgmosaic::coordinator {

using planner::Command;
using planner::PlanKind;
using planner::TransactionVerb;

void Session::check_not_failed() const {
    if (!transaction_.failed()) return;
    throw PgError(Error{.code = sqlstate::kInFailedSqlTransaction,
                        .message = "current transaction is aborted, commands ignored until end of transaction block"});
}

void Session::check_statement(const planner::Statement& statement) const {
    const bool ends = statement.verb == TransactionVerb::kCommit || statement.verb == TransactionVerb::kRollback ||
                      statement.verb == TransactionVerb::kRollbackTo || statement.verb == TransactionVerb::kPrepareTransaction;
    if (!ends) check_not_failed();
    if (statement.plan == PlanKind::kRefuse && !statement.lifts_reads) throw PgError(*statement.refusal);
    check_sequences(statement);
    if (statement.needs_no_transaction && transaction_.open()) {
        const std::string what = statement.tag.empty() ? "this command" : statement.tag;
        throw PgError(Error{.code = sqlstate::kActiveSqlTransaction,
                            .message = what + " cannot run inside a transaction block"});
    }
}

/// One statement of either protocol, whatever its plan.
Task<> Session::run_statement(const Request& request) {
    check_statement(request.statement);
    bound_statement();
    const Using use(*this, use_of(request.statement));
    if (request.statement.lifts_reads) {
        Replanned lifted;
        co_await lift_sequence_reads(*this, request, lifted);
        const Request inner = lifted.request(request);
        co_await run_statement(inner);
        co_return;
    }
    if (request.statement.plan == PlanKind::kRoute) {
        std::optional<ShardId> shard;
        const planner::Statement& statement = effective(request.statement, request, shard);
        if (shard) {
            if (planner::explains_route(statement)) co_await execute_explain(*this, request);
            else co_await run_route(request, *shard);
            co_return;
        }
        check_statement(statement);
        co_await run_plan(Request{statement, request.sql, request.literals, request.bind, request.prepared, request.alone});
        co_return;
    }
    co_await run_plan(request);
}

/// The route's shard, or the plan that holds where the keys do not meet on one.
const planner::Statement& Session::effective(const planner::Statement& statement, const Request& request,
                                             std::optional<ShardId>& shard) {
    const planner::Statement* current = &statement;
    while (current->plan == PlanKind::kRoute) {
        shard = resolve(current->route, request);
        if (shard) return *current;
        PGM_CHECK(current->route.otherwise != nullptr, "a route whose keys may disagree says what to do then");
        current = current->route.otherwise.get();
    }
    return *current;
}

Task<> Session::run_plan(const Request& request) {
    if (request.statement.command == Command::kExplain && request.statement.plan != PlanKind::kRoute) {
        co_await execute_explain(*this, request);
        co_return;
    }
    if (request.statement.command == Command::kDeclare && request.statement.plan != PlanKind::kRoute) {
        co_await declare_cursor(request);
        co_return;
    }
    if (FixedTime::is_wanted(*this, request)) {
        FixedTime fixed(*this, request);
        co_await fixed.read();
        const Request at_that_time = fixed.request();
        co_await run_statement(at_that_time);
        co_return;
    }
    switch (request.statement.plan) {
        case PlanKind::kLocal: co_await run_local(request); break;
        case PlanKind::kRoute: {
            std::optional<ShardId> shard;
            effective(request.statement, request, shard);
            co_await run_route(request, *shard);
            break;
        }
        case PlanKind::kScatter: co_await execute_scatter(*this, request); break;
        case PlanKind::kWorkbench: co_await execute_workbench(*this, request); break;
        case PlanKind::kInsert: co_await execute_insert(*this, request); break;
        case PlanKind::kReferenceWrite: co_await execute_reference_write(*this, request); break;
        case PlanKind::kBroadcast: co_await execute_broadcast(*this, request); break;
        case PlanKind::kCopyIn: co_await execute_copy_in(*this, request); break;
        case PlanKind::kCopyOut: co_await execute_copy_out(*this, request); break;
        case PlanKind::kAdmin: co_await execute_admin(*this, request); break;
        case PlanKind::kRefuse: throw PgError(*request.statement.refusal);
    }
}

// ---------------------------------------------------------------- one shard

std::string Session::shard_context(const planner::Statement& statement, ShardId shard) const {
    if (statement.plan == PlanKind::kRoute && statement.route.where == planner::Route::Where::kHome) return {};
    if (statement.plan == PlanKind::kLocal && shard == home()) return {};
    return "shard " + shard_name(shard);
}

/// The statement goes to one shard and the answer passes through. A read that died with its server before the client saw
/// anything of it is repeated.
Task<> Session::run_route(const Request& request, ShardId shard) {
    const planner::Statement& statement = request.statement;
    std::string text;
    if (!statement.admin_views.empty()) text = co_await admin_view_sql(*this, request);
    else if (statement.reads_sequences) text = with_sequences(*this, request, statement.rewritten.empty() ? request.sql : std::string_view(statement.rewritten));
    const std::string_view sql = !text.empty() ? std::string_view(text)
                                 : statement.rewritten.empty() ? request.sql : std::string_view(statement.rewritten);
    if (statement.pins) co_await pin(shard);
    const bool token_wanted = statement.writes && !transaction_.open() && request.alone && request.simple() &&
                              statement.parameters == 0 && may_carry_token(statement);
    for (int attempt = 1;; ++attempt) {
        Lost lost{.writes = statement.writes, .answer_begin = client_.position(), .attempt = attempt};
        Participant* participant = try_use_shard(shard, statement.writes);
        if (participant == nullptr) participant = co_await use_shard(shard, statement.writes);
        lost.repeatable = participant->pinned == nullptr;
        participant->notifies = participant->notifies || announces(statement);
        const Announcement announcement = transaction_.open() ? Announcement() : announce(*participant);
        if (token_wanted) lost.token = make_token(core_, *participant);
        bool is_lost = false;
        try {
            co_await send_and_relay(request, *participant, shard, sql, lost.token);
        } catch (const backend::ConnectionLost&) {
            is_lost = true;
        }
        if (!is_lost) {
            co_await hear_announcement(announcement);
            break;
        }
        lost.answered = relay_.answered();
        const AfterLoss next = co_await after_loss(std::move(lost));
        if (next == AfterLoss::kDone) break;
    }
    const auto leased = statement_leases_.find(shard);  // none: its server was lost
    if (token_wanted && relay_.failed() && leased != statement_leases_.end()) forget_token_statement(leased->second.connection());
    if (relay_.prelude_failed()) {
        const Error error = relay_.error();
        for (auto& [id, participant] : statement_leases_) participant.connection().broken = true;
        throw PgError(error);
    }
    const bool failed = relay_.failed();
    if (!failed && statement.command == Command::kDeclare) note_server_cursor(statement, shard);
    release_statement_leases();
    if (!failed && statement.unlocks) co_await unpin_if_free(shard);
    if (!failed && statement.changes_catalog) {
        own_tables_ = own_tables_ || statement.pins;
        schema_changed();
    }
    if (failed && !ready_sent_) throw StatementFailed{};
}

Task<> Session::send_and_relay(const Request& request, Participant& participant, ShardId shard, std::string_view sql,
                               const CommitToken& token) {
    const planner::Statement& statement = request.statement;
    backend::Connection& connection = participant.connection();
    note_state(statement, connection);
    start_relay(participant);
    relay_.error_context = shard_context(statement, shard);
    if (request.simple()) {
        // In autocommit the server's ReadyForQuery is the client's, too.
        const bool last = request.alone && !transaction_.open() && !statement.changes_catalog && !(participant.notifies && database_->listening > 0);
        if (token.word.empty()) {
            wire::write_query(connection.out(), sql);
            relay_.expect({.kind = Expect::Kind::kQuery, .forward_ready = last});
        } else {
            put_with_token(connection, sql, token);
            relay_.expect({.kind = Expect::Kind::kSync, .forward = false, .forward_ready = last});
        }
        co_await relay_.drain(connection, client_);
        ready_sent_ = last;
    } else {
        put_bound(connection, sql, *request.bind, request.prepared->types, false);
        relay_.expect({.kind = Expect::Kind::kParse, .forward = false});
        relay_.expect({.kind = Expect::Kind::kBind, .forward = false});
        relay_.expect({.kind = Expect::Kind::kExecute});
        relay_.expect({.kind = Expect::Kind::kSync, .forward = false});
        co_await relay_.drain(connection, client_);
    }
}

void Session::start_relay(Participant& participant) {
    relay_.reset();
    relay_.error_context.clear();
    relay_shard_ = participant.shard();
    for (; participant.ready_to_skip > 0; --participant.ready_to_skip) relay_.expect({.forward = false});
}

/// Parse, Bind, Execute and Sync of one statement without names; Describe between if wanted.
void Session::put_bound(backend::Connection& connection, std::string_view sql, const wire::Bind& bind,
                        const std::vector<Oid>& types, bool describe) {
    std::string& out = connection.out();
    wire::write_parse(out, "", sql, types);
    connection.unnamed_statement = 0;
    wire::FrameWriter(out, 'B').cstring("").cstring("").bytes(bind.tail);
    if (describe) wire::write_describe(out, 'P', "");
    wire::write_execute(out, "", 0);
    wire::write_sync(out);
}

}  // namespace pgmosaic::coordinator

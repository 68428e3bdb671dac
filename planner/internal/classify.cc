#include "planner/internal/statement.h"

namespace pgmosaic::planner {

namespace {

Statement local_statement(Command command, std::string name, std::string tag) {
    Statement statement;
    statement.command = command;
    statement.plan = PlanKind::kLocal;
    statement.writes = false;
    statement.name = std::move(name);
    statement.tag = std::move(tag);
    statement.reason = "the session answers it";
    return statement;
}

Statement discard(const pg_query::DiscardStmt& from) {
    switch (from.target()) {
        case pg_query::DISCARD_PLANS: return local_statement(Command::kDiscard, "PLANS", "DISCARD PLANS");
        case pg_query::DISCARD_SEQUENCES: return local_statement(Command::kDiscard, "SEQUENCES", "DISCARD SEQUENCES");
        case pg_query::DISCARD_TEMP: return local_statement(Command::kDiscard, "TEMP", "DISCARD TEMP");
        default: return local_statement(Command::kDiscard, "ALL", "DISCARD ALL");
    }
}

Statement listen(const pg_query::ListenStmt& from) {
    return local_statement(Command::kListen, from.conditionname(), "LISTEN");
}

Statement notify(const pg_query::NotifyStmt& from) {
    Statement statement = route_home(Command::kNotify);
    statement.name = from.conditionname();
    statement.argument = from.payload();
    statement.tag = "NOTIFY";
    statement.notifies = true;
    return statement;
}

}  // namespace

void refuse(std::string message, std::string detail, std::string hint) {
    throw PgError(refusal(std::move(message), std::move(detail), std::move(hint)));
}

std::string quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

Statement plan_statement(const pg_query::Node& node, StatementText text, PlanContext& context) {
    using N = pg_query::Node;
    switch (node.node_case()) {
        case N::kSelectStmt:
        case N::kInsertStmt:
        case N::kUpdateStmt:
        case N::kDeleteStmt:
        case N::kMergeStmt: return plan_query(node, text, context);
        case N::kTransactionStmt: return plan_transaction(node.transaction_stmt());
        case N::kVariableSetStmt: return plan_set(node.variable_set_stmt(), text);
        case N::kVariableShowStmt: return plan_show(node.variable_show_stmt());
        case N::kDiscardStmt: return discard(node.discard_stmt());
        case N::kPrepareStmt: return plan_prepare(node.prepare_stmt(), text);
        case N::kExecuteStmt: return plan_execute(node.execute_stmt(), text);
        case N::kDeallocateStmt: {
            const std::string& name = node.deallocate_stmt().name();
            return local_statement(Command::kDeallocate, name, name.empty() ? "DEALLOCATE ALL" : "DEALLOCATE");
        }
        case N::kDeclareCursorStmt: return plan_declare(node.declare_cursor_stmt(), text, context);
        case N::kFetchStmt: return plan_fetch(node.fetch_stmt(), text);
        case N::kClosePortalStmt: {
            const std::string& name = node.close_portal_stmt().portalname();
            return local_statement(Command::kClose, name, name.empty() ? "CLOSE CURSOR ALL" : "CLOSE CURSOR");
        }
        case N::kListenStmt: return listen(node.listen_stmt());
        case N::kUnlistenStmt: return local_statement(Command::kUnlisten, node.unlisten_stmt().conditionname(), "UNLISTEN");
        case N::kNotifyStmt: return notify(node.notify_stmt());
        case N::kCopyStmt: return plan_copy(node.copy_stmt(), text, context);
        case N::kExplainStmt: return plan_explain(node.explain_stmt(), text, context);
        case N::kLockStmt: return plan_lock(node.lock_stmt(), context);
        case N::kDoStmt: return plan_do(node.do_stmt(), context);
        case N::kCallStmt: return plan_call(node.call_stmt(), context);
        default: return plan_ddl(node, text, context);
    }
}

}  // namespace pgmosaic::planner

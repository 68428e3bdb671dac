#include "planner/internal/select_plan.h"

#include "planner/internal/functions.h"
#include "planner/internal/select_partial.h"
#include "planner/internal/select_proof.h"
#include "planner/internal/select_scatter.h"
#include "planner/internal/select_workbench.h"

#include <algorithm>

namespace pgmosaic::planner {

namespace {

bool runs_user_code(const pg_query::SelectStmt& select, PlanContext& context) {
    bool found = false;
    walk(select, [&](const google::protobuf::Message& message) {
        if (const auto* call = as<pg_query::FuncCall>(message)) {
            found |= traits_of(*call, context.catalog, context.environment.search_path).user;
        }
        return !found;
    });
    return found;
}

std::optional<Statement> scatter(const QueryAnalysis& analysis, const pg_query::SelectStmt& select, PlanContext& context, std::string& why) {
    try {
        ScatterPlanner planner(analysis, select, context);
        Statement statement;
        statement.plan = PlanKind::kScatter;
        statement.scatter = planner.plan();
        statement.reason = planner.reason();
        statement.runs_user_code = runs_user_code(select, context);
        return statement;
    } catch (const SelectItems::NotHere& reason) {
        why = reason.why;
    } catch (const PgError& error) {
        why = error.error().message;
    }
    return std::nullopt;
}

std::optional<Statement> partial_aggregates(const QueryAnalysis& analysis, const pg_query::SelectStmt& select, PlanContext& context) {
    try {
        Statement statement;
        statement.plan = PlanKind::kWorkbench;
        statement.workbench = PartialPlanner(analysis, select, context).plan();
        statement.runs_user_code = runs_user_code(select, context);
        return statement;
    } catch (const SelectItems::NotHere&) {
        return std::nullopt;
    } catch (const PgError&) {
        return std::nullopt;  // what is wrong with the statement itself, the last plan says
    }
}

// The shards lock the rows that they send. Each would skip rows for a LIMIT that is reached by the rows of another one.
void check_locks(const QueryAnalysis& analysis, const pg_query::SelectStmt& select) {
    const bool skips = std::any_of(select.locking_clause().begin(), select.locking_clause().end(), [](const pg_query::Node& clause) {
        return clause.locking_clause().wait_policy() == pg_query::LockWaitSkip;
    });
    if (!skips || !analysis.levels.front().has_limit) return;
    throw PgError(refusal("cannot combine SKIP LOCKED with LIMIT over several shards",
                          "Each shard would lock as many rows, and others would skip those that nobody got.",
                          "Add a condition on the shard key."));
}

[[noreturn]] void refuse_locks(const std::string& why) {
    throw PgError(refusal("cannot lock rows of several shards in this query", "Its rows do not come from the shards as they are: " + why + ".",
                          "Add a condition on the shard key, or lock the rows with a simpler query first."));
}

// From the cheapest plan to the one that always is right.
Statement plan_best(const QueryAnalysis& analysis, const pg_query::SelectStmt& select, PlanContext& context, std::optional<SelectText> text) {
    std::string why = why_not_on_each_shard(analysis);
    if (analysis.has_locking) check_locks(analysis, select);
    if (why.empty()) {
        if (auto planned = scatter(analysis, select, context, why)) return *planned;
        if (analysis.has_locking) refuse_locks(why);
        if (auto planned = partial_aggregates(analysis, select, context)) {
            planned->reason = why + ": the shards' partial aggregates are finished on the workbench";
            return *planned;
        }
    }
    if (analysis.has_locking) refuse_locks(why);
    Statement statement;
    statement.plan = PlanKind::kWorkbench;
    statement.workbench = WorkbenchPlanner(analysis, context).plan(select, text);
    statement.reason = why + ": rows of the tables are pulled to the workbench";
    return statement;
}

}  // namespace

Statement plan_select_multi(const QueryAnalysis& analysis, const pg_query::SelectStmt& select, PlanContext& context,
                            std::optional<SelectText> text) {
    try {
        return plan_best(analysis, select, context, text);
    } catch (const PgError& error) {
        Statement statement;
        statement.plan = PlanKind::kRefuse;
        statement.refusal = error.error();
        return statement;
    }
}

}  // namespace pgmosaic::planner

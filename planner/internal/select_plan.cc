#include "planner/internal/select_plan.h"

#include "planner/internal/functions.h"
#include "planner/internal/select_proof.h"
#include "planner/internal/select_scatter.h"
#include "planner/internal/select_workbench.h"

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

// Leaves the reason why not in `why`.
std::optional<Statement> scatter(const QueryAnalysis& analysis, const pg_query::SelectStmt& select, PlanContext& context, std::string& why) {
    why = why_not_on_each_shard(analysis);
    if (!why.empty()) return std::nullopt;
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
        return std::nullopt;
    }
}

}  // namespace

Statement plan_select_multi(const QueryAnalysis& analysis, const pg_query::SelectStmt& select, PlanContext& context) {
    try {
        std::string why;
        if (auto planned = scatter(analysis, select, context, why)) return *planned;
        Statement statement;
        statement.plan = PlanKind::kWorkbench;
        statement.workbench = WorkbenchPlanner(analysis, context).plan(select);
        statement.reason = why;
        return statement;
    } catch (const PgError& error) {
        Statement statement;
        statement.plan = PlanKind::kRefuse;
        statement.refusal = error.error();
        return statement;
    }
}

}  // namespace pgmosaic::planner

#include "planner/internal/select_plan.h"

namespace pgmosaic::planner {

Statement plan_select_multi(const QueryAnalysis&, const pg_query::SelectStmt&, PlanContext&) {
    Statement statement;
    statement.plan = PlanKind::kRefuse;
    statement.refusal = refusal("cannot read from several shards in one query yet",
                                "No condition binds every sharded table to one value of its shard key.",
                                "Add a condition on the shard key to WHERE.");
    return statement;
}

}  // namespace pgmosaic::planner

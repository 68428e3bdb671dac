#pragma once

#include "base/sqlstate.h"
#include "planner/internal/select_plan.h"
#include "planner/internal/statement.h"

namespace pgmosaic::planner {

/// The words of a query or of a write themselves; nothing where they stand within EXPLAIN, DECLARE …
std::optional<SelectText> own_words(StatementText text);

/// Plans a statement that writes, itself or in its WITH, over rows of several shards: kWorkbench with the tables that it writes in
/// PlanDetails::written. The caller fills in what plan_query() fills in.
///
/// Errors  PgError 0A000 where the workbench's result could be another one than PostgreSQL's
Statement plan_workbench_write(const pg_query::Node& node, const QueryAnalysis& analysis, StatementText text, PlanContext& context);

/// What `plan` gives; the plan above where it is refused.
template <class Plan>
Statement or_on_workbench(const pg_query::Node& node, const QueryAnalysis& analysis, StatementText text, PlanContext& context, const Plan& plan) {
    try {
        Statement planned = plan();
        const bool refused = planned.plan == PlanKind::kRefuse && planned.refusal->code == sqlstate::kFeatureNotSupported;
        if (!refused) return planned;
    } catch (const PgError& refused) {
        if (refused.error().code != sqlstate::kFeatureNotSupported) throw;
    }
    return plan_workbench_write(node, analysis, text, context);
}

}  // namespace pgmosaic::planner

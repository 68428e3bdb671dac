#pragma once

#include <optional>
#include <string_view>

#include "planner/internal/analysis.h"
#include "planner/plan.h"

namespace pgmosaic::planner {

/// The words of a SELECT, and where they begin in the query string that its tree's locations count from.
struct SelectText {
    std::string_view text{};
    std::size_t offset = 0;
};

/// Plans a SELECT that touches sharded tables and that no proof binds to one shard: kScatter, kWorkbench or kRefuse.
///
/// The caller fills in offset, length, parameters, `writes`, `returns_rows`, `command`, `name`; what is set here is `plan`,
/// `reason`, `scatter`, `workbench`, `refusal`, and `runs_user_code` if it is true.
///
/// Refused before it comes here: data-modifying CTEs, nextval and its kind, user functions that are not
/// IMMUTABLE (PROTOCOLS 5.2). Not refused before: local tables beside sharded ones, views, volatile built-ins (random()).
///
/// Literals: a plan with its own text (`shard_sql`, `final_sql`, `pulls`) is cached under the exact literals of the statement,
/// so copying them into the text is right. A kScatter whose `shard_sql` is empty is cached for all values of its literals,
/// except those that `merge` or `prune` hold: give these as ValueRef::From::kConstant (then set `exact_literals`) or kLiteral.
///
/// `text`: the SELECT's own words, if it is a statement of its own. A workbench then runs them with other table names.
Statement plan_select_multi(const QueryAnalysis& analysis, const pg_query::SelectStmt& select, PlanContext& context,
                            std::optional<SelectText> text = std::nullopt);

}  // namespace pgmosaic::planner

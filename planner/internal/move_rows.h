#pragma once

#include "planner/internal/statement.h"

namespace pgmosaic::planner {

/// UPDATE of a shard key: rows are deleted where they are and inserted where they belong, in one transaction.
Statement plan_row_move(const pg_query::UpdateStmt& update, const QueryAnalysis& analysis, const Table& table, PlanContext& context);

}  // namespace pgmosaic::planner

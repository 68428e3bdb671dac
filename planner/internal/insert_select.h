#pragma once

#include <optional>
#include <vector>

#include "planner/internal/statement.h"

namespace pgmosaic::planner {

/// INSERT of a query's rows that are evaluated once and then go wherever each belongs: kInsert with details. `columns` are the table's
/// columns that the statement names (or means), in order. Throws a refusal.
Statement gather_insert(const pg_query::InsertStmt& insert, const Table& table, const std::vector<std::size_t>& columns,
                        PlanContext& context);

/// `WITH d AS (DELETE … RETURNING …) INSERT INTO t SELECT … FROM d`, where d is all that is read: the same with the DELETE itself
/// (or another write) in the place of the query. nullopt: it says more than that.
std::optional<pg_query::InsertStmt> read_from_write(const pg_query::InsertStmt& insert);

}  // namespace pgmosaic::planner

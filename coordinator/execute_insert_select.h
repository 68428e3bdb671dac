#pragma once

#include <string>

#include "coordinator/session.h"
#include "planner/plan_details.h"

namespace pgmosaic::coordinator {

/// kInsert whose rows are a query's. See execute.h.
Task<> execute_insert_select(Session& session, const Request& request, const planner::InsertSelect& plan);
/// The same within an open transaction; returns the command tag. ConnectionLost passes.
Task<std::string> insert_rows(Session& session, const Request& request, const planner::InsertSelect& plan);
/// Throws 0A000 if foreign keys refer to the table: they would see its rows deleted where these move.
Task<> check_no_references(Session& session, Oid table, std::string key);

}  // namespace pgmosaic::coordinator

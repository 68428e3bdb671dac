#pragma once

#include <string>

#include "planner/internal/statement.h"

namespace pgmosaic::planner {

/// CREATE TABLE AS, CREATE MATERIALIZED VIEW.
Statement plan_create_as(const pg_query::Node& node, PlanContext& context);
/// The text of a name as a FROM item takes it.
std::string name_text(const pg_query::RangeVar& relation);
/// True if the relation is, or becomes, the session's own.
bool is_temporary(const pg_query::RangeVar& relation, const PlanContext& context);

}  // namespace pgmosaic::planner

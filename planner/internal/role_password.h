#pragma once

#include "planner/internal/statement.h"
#include "planner/plan_details.h"

namespace pgmosaic::planner {

/// Notes the plain password of CREATE ROLE and ALTER ROLE; one that is hashed already, NULL and the empty one stay as they are.
/// Errors: 0A000 where the constant cannot be found in the text.
void note_role_password(const pg_query::Node& node, StatementText text, PlanDetails& details);

}  // namespace pgmosaic::planner

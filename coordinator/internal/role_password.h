#pragma once

#include <string>

#include "base/task.h"
#include "planner/plan_details.h"

namespace pgmosaic::coordinator {

class Session;

/// The text of CREATE or ALTER ROLE with its password hashed, once for all servers: by one proof of it a client is then let in
/// on each of them. As it is where there is none, or the servers are to hash it by MD5 (whose salt is the name).
Task<std::string> with_hashed_password(Session& session, const planner::PlanDetails& details, std::string sql);

}  // namespace pgmosaic::coordinator

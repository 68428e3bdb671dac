#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "planner/internal/context.h"
#include "planner/internal/plan_cache.h"

namespace pgmosaic::planner {

/// Plans a whole query string; what may vary in it is told by `fixed` and `keys`. Errors are part of the plan.
PlanCache::Plan plan_text(std::string_view sql, const Environment& environment, const std::vector<Token>& literals);

}  // namespace pgmosaic::planner

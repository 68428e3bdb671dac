#pragma once

#include <string_view>

#include "planner/catalog.h"

namespace pgmosaic::planner {

/// How far a body of SQL or PL/pgSQL may reach, judged by every word in it: a name that stands in it counts as used.
/// What is called dynamically, or has the name of a sharded table or a view, is Reach::kUnknown.
Reach reach_of(std::string_view source, const Catalog& catalog);

}  // namespace pgmosaic::planner

#pragma once

#include "planner/internal/tree.h"

namespace pgmosaic::planner {

/// currval('…') or lastval(), PostgreSQL's own.
bool is_sequence_read(const pg_query::FuncCall& call);
/// There are such calls in the statement, and what each is asked for does not depend on rows or parameters.
bool reads_are_constant(const pg_query::Node& statement);

}  // namespace pgmosaic::planner

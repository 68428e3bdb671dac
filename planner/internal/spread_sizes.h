#pragma once

#include <string>
#include <string_view>

#include "planner/internal/tree.h"

namespace pgmosaic::planner {

/// pg_total_relation_size() and its kind, and the estimates of pg_class: a server tells its own part of a sharded table only, so they
/// are replaced by functions of schema pg_mosaic that add what is elsewhere.

bool is_size_function(const pg_query::FuncCall& call);
/// `reltuples` or `relpages`, whatever table it is of.
bool is_estimate(const pg_query::ColumnRef& column);
/// pg_stat_user_tables and its kind: counters of a server's own part.
bool is_statistics_view(const pg_query::RangeVar& relation);
/// `elsewhere`: a JSON document, the last argument of each function.
void replace_sizes(pg_query::ParseResult& statements, const std::string& elsewhere);

}  // namespace pgmosaic::planner

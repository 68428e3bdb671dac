#pragma once

#include <string_view>

#include "planner/internal/tree.h"

namespace pgmosaic::planner {

/// A call of PostgreSQL's that one of schema pg_mosaic stands in for: of the same name, and with a document of what PostgreSQL does not
/// know as its last argument.

/// `'…'::pg_catalog.jsonb`
pg_query::Node document_node(std::string_view document);
void set_function(pg_query::FuncCall& call, const std::string& name);
void stand_in(pg_query::FuncCall& call, const pg_query::Node& document);

}  // namespace pgmosaic::planner

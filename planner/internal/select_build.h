#pragma once

#include <pg_query.pb.h>

#include <functional>
#include <string>
#include <string_view>

#include "planner/internal/tree.h"

namespace pgmosaic::planner {

/// One expression of SQL text as a tree. The text is ours, so that it parses is a matter of our own correctness.
pg_query::Node expression_from(std::string_view sql);

/// `"name"` or `"qualifier"."name"`.
pg_query::Node column_reference(const std::string& qualifier, const std::string& name);

/// The name that PostgreSQL gives a result column without AS (FigureColname of PostgreSQL 15).
std::string default_column_name(const pg_query::Node& expression);

/// True if the select list item is `*` or `alias.*`.
bool is_star(const pg_query::Node& expression);

/// A literal or a parameter, also below casts.
bool is_constant(const pg_query::Node& expression);

/// A call as an expression, and the same call under another name, with its arguments and FILTER.
pg_query::Node node_of(const pg_query::FuncCall& call);
pg_query::Node renamed(const pg_query::FuncCall& call, const std::string& name);

/// True if a select is no set operation.
bool is_plain(const pg_query::SelectStmt& select);

/// SQL text of a SELECT, or of an expression, that parses to the same tree again. Throws PgError 0A000 where libpg_query's
/// writer changes the meaning: it drops parentheses in rare places.
std::string write_select(pg_query::SelectStmt select);
std::string write_expression(const pg_query::Node& expression);
/// The same for a statement of any kind.
std::string write_statement(pg_query::Node statement);

/// Walks a tree and its copy in step, parents first; where `visit` returns false it goes no deeper, so that the copy may be
/// changed there.
using VisitBoth = std::function<bool(const google::protobuf::Message& original, google::protobuf::Message& copy)>;
void walk_both(const google::protobuf::Message& original, google::protobuf::Message& copy, const VisitBoth& visit);

}  // namespace pgmosaic::planner

#pragma once

#include "coordinator/admin/arguments.h"
#include "coordinator/admin/table_facts.h"

/// The functions that change where a table lives. All of it is one transaction: the session's, or one of its own.
///
/// Errors  throw PgError: PostgreSQL's for what is not there or not the caller's, 0A000 with DETAIL and HINT for what cannot be kept
namespace pgmosaic::coordinator {

/// create_distributed_table(table_name, distribution_column, colocate_with)
Task<> create_distributed_table(Session& session, const Arguments& arguments);
/// create_reference_table(table_name)
Task<> create_reference_table(Session& session, const Arguments& arguments);
/// undistribute_table(table_name)
Task<> undistribute_table(Session& session, const Arguments& arguments);

/// create_distributed_function(function_name, distribution_arg_name, colocate_with): calls then run on the shard that owns the
/// value of that argument (its name, or `$n`), for `*` once on every shard, and without one on any shard.
Task<> create_distributed_function(Session& session, const Arguments& arguments);

/// Begins a change of places: only one transaction at a time has one under way.
Task<> begin_change(Session& session);
/// What the home shard says of a table named as regclass wants it. Errors: 42P01
Task<TableFacts> facts_of(Session& session, ShardId shard, std::string table_name);

}  // namespace pgmosaic::coordinator

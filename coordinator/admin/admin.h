#pragma once

#include "coordinator/session.h"

/// What operators and applications ask of pgmosaic itself.
///
/// Errors  throw PgError; what was begun is undone by the rollback of the session's transaction
namespace pgmosaic::coordinator {

/// Carries out a call without answering it: SELECT create_distributed_table(…), or what follows
/// CREATE TABLE … WITH (mosaic.key = …). Joins the session's transaction, or is one of its own.
Task<> run_admin_call(Session& session, const planner::AdminCall& call, const Request& request);

/// CREATE DATABASE and DROP DATABASE on every shard, and on the workbench where that can be reached; with their answers.
/// Nothing stays half made: what one shard refuses is taken back on the others.
Task<> run_create_database(Session& session, const Request& request);
Task<> run_drop_database(Session& session, const Request& request);
Task<> run_rename_database(Session& session, const Request& request);

/// Functions that write the registry of placements and that describe a table. Repeatable, run on every shard in every
/// database after planner::kRegistrySchema.
extern const char* const kAdminSchema;

}  // namespace pgmosaic::coordinator

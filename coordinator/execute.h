#pragma once

#include <string>

#include "coordinator/session.h"

/// The executors: each carries out one kind of plan for a session, in either protocol.
///
/// Answers   rows go to Session::answer(), the command tag through Session::complete(); with the simple protocol a
///           RowDescription goes first
/// Errors    throw PgError (the session tells the client) or StatementFailed (it has been told)
namespace pgmosaic::coordinator {

Task<> execute_scatter(Session& session, const Request& request);
/// The same as written, whatever it reads and when; a write outside of a transaction gets one of its own, begun so.
Task<> execute_on_shards(Session& session, const Request& request, std::string begin_sql);
Task<> execute_workbench(Session& session, const Request& request);
Task<> execute_insert(Session& session, const Request& request);
Task<> execute_reference_write(Session& session, const Request& request);
Task<> execute_broadcast(Session& session, const Request& request);
Task<> execute_copy_in(Session& session, const Request& request);
Task<> execute_copy_out(Session& session, const Request& request);
Task<> execute_admin(Session& session, const Request& request);

/// EXPLAIN of what no single shard runs: our node, why, and the statement with its plan on one of the shards.
Task<> execute_explain(Session& session, const Request& request);

/// What kAdmin statements return.
std::shared_ptr<const Description> admin_description(const planner::Statement& statement);

/// The statement's text with our views replaced by what they show now.
Task<std::string> admin_view_sql(Session& session, const Request& request);

}  // namespace pgmosaic::coordinator

#pragma once

#include <pg_query.pb.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/internal/analysis.h"
#include "planner/internal/context.h"
#include "planner/plan.h"

namespace pgmosaic::planner {

/// The text of one statement within the query string.
struct StatementText {
    std::string_view text;   ///< of this statement alone
    std::size_t offset = 0;  ///< in the query string
};

/// Plans one statement of any kind. Throws PgError for a refusal; plan_text() makes kRefuse of it.
Statement plan_statement(const pg_query::Node& node, StatementText text, PlanContext& context);

// ---- what stays in the session, or goes somewhere as written: session_statements.cc
Statement plan_transaction(const pg_query::TransactionStmt& statement);
Statement plan_set(const pg_query::VariableSetStmt& statement, StatementText text);
Statement plan_show(const pg_query::VariableShowStmt& statement);
Statement plan_prepare(const pg_query::PrepareStmt& statement, StatementText text);
Statement plan_execute(const pg_query::ExecuteStmt& statement, StatementText text);
Statement plan_declare(const pg_query::DeclareCursorStmt& statement, StatementText text, PlanContext& context);
Statement plan_fetch(const pg_query::FetchStmt& statement, StatementText text);
Statement plan_explain(const pg_query::ExplainStmt& statement, StatementText text, PlanContext& context);
Statement plan_do(const pg_query::DoStmt& statement, PlanContext& context);
Statement plan_call(const pg_query::CallStmt& statement, PlanContext& context);
Statement plan_lock(const pg_query::LockStmt& statement, PlanContext& context);

// ---- definitions: ddl.cc, ddl_checks.cc
Statement plan_ddl(const pg_query::Node& node, StatementText text, PlanContext& context);
/// Throws a refusal if the keys or constraints of a sharded or reference table would not hold.
void check_create_table(const pg_query::CreateStmt& statement, const std::string& shard_key, PlanContext& context);
void check_alter_table(const pg_query::AlterTableStmt& statement, PlanContext& context);
void check_index(const pg_query::IndexStmt& statement, PlanContext& context);

Statement plan_copy(const pg_query::CopyStmt& statement, StatementText text, PlanContext& context);

// ---- our own functions: admin.cc
bool is_admin_view(std::string_view name);
std::optional<Statement> plan_admin_call(const pg_query::SelectStmt& select, PlanContext& context);
std::optional<Statement> plan_set_config(const pg_query::SelectStmt& select);
/// pg_export_snapshot() and pg_listening_channels(), called alone: what they are about is the session's here.
std::optional<Statement> plan_session_call(const pg_query::SelectStmt& select);

// ---- queries: query.cc, write.cc, insert.cc, reference.cc
Statement plan_query(const pg_query::Node& node, StatementText text, PlanContext& context);
Statement plan_insert(const pg_query::Node& node, const QueryAnalysis& analysis, StatementText text, PlanContext& context);
/// UPDATE, DELETE or MERGE of a sharded table.
Statement plan_write(const pg_query::Node& node, const QueryAnalysis& analysis, StatementText text, PlanContext& context);
Statement plan_reference_write(const pg_query::Node& node, const QueryAnalysis& analysis, PlanContext& context);
/// The keys that bind every sharded table (but `except`) to one value each; nullopt if one is not bound, or the groups differ.
std::optional<Route> prove_route(const QueryAnalysis& analysis, int except = -1);
/// True if what a route's keys are worth when the statement runs may not name one shard, so that it needs `otherwise`.
bool may_diverge(const Route& route);
Statement route_home(Command command);
Statement route_to(Route route, std::string reason);
/// Throws where sequences, locks or functions in the statement would be wrong on more than one shard.
void check_spread(const QueryAnalysis& analysis);
/// Throws if sequences, advisory locks or settings are used beside sharded tables, on one shard or on several.
void check_home_state(const QueryAnalysis& analysis);
const pg_query::RangeVar& target_of(const pg_query::Node& write);
/// How many columns RETURNING gives; 0 if there is none.
std::uint16_t returning_columns(const pg_query::Node& write, const QueryAnalysis& analysis);

/// True if every literal that is a value may change without the plan changing: the text goes out as it came.
bool goes_as_written(const Statement& statement);

[[noreturn]] void refuse(std::string message, std::string detail = {}, std::string hint = {});
/// What stands behind the first such word outside of brackets; empty if there is none.
std::string_view text_behind_word(std::string_view text, std::string_view word);
/// `"customer_id"` for messages.
std::string quoted(std::string_view name);

}  // namespace pgmosaic::planner

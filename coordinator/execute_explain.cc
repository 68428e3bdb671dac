#include <algorithm>

#include "coordinator/execute.h"
#include "coordinator/internal/shard_statement.h"
#include "planner/plan_details.h"

namespace pgmosaic::coordinator {

using planner::PlanKind;

namespace {

std::string_view kind_name(PlanKind kind) {
    switch (kind) {
        case PlanKind::kScatter: return "Scatter";
        case PlanKind::kWorkbench: return "Workbench";
        case PlanKind::kInsert: return "Insert by key";
        case PlanKind::kReferenceWrite: return "Write on all copies";
        case PlanKind::kBroadcast: return "All shards";
        default: return "Plan";
    }
}

std::string shard_names(const Session& session, const std::vector<ShardId>& shards) {
    std::string names;
    for (ShardId shard : shards) names += (names.empty() ? "" : ", ") + session.shard_name(shard);
    return names;
}

/// PostgreSQL's own plan of what one shard gets, indented below our lines.
Task<> add_plan(Session& session, ShardId shard, std::string sql, std::vector<std::string>& lines) {
    const auto plan = co_await session.query_shard(shard, "EXPLAIN " + sql, false);
    lines.push_back("  ->  on shard " + session.shard_name(shard));
    for (const auto& row : plan.rows) lines.push_back("        " + row.at(0).value_or(""));
}

}  // namespace

Task<> execute_explain(Session& session, const Request& request) {
    const planner::Statement& statement = request.statement;
    if (statement.force) {
        throw PgError(refusal("EXPLAIN ANALYZE of a statement on several shards is not available in this version",
                              statement.reason, "Use EXPLAIN without ANALYZE."));
    }
    if (request.bind != nullptr && !request.bind->values.empty()) {
        throw PgError(refusal("EXPLAIN of a statement on several shards takes no parameters", statement.reason));
    }
    std::vector<std::string> lines{"Mosaic " + std::string(kind_name(statement.plan))};
    if (!statement.reason.empty()) lines.push_back("  Reason: " + statement.reason);
    if (statement.scatter) {
        const std::vector<ShardId> shards = session.shards_of(*statement.scatter, request);
        const std::string sql = statement.scatter->shard_sql.empty() ? statement.argument : statement.scatter->shard_sql;
        lines.push_back("  Shards: " + shard_names(session, shards));
        lines.push_back("  Statement: " + sql);
        co_await add_plan(session, shards.front(), sql, lines);
    }
    const planner::PlanDetails& details = planner::details_of(statement);
    if (details.selects) lines.push_back("  Rows: " + details.rows.source_sql);
    if (statement.workbench) {
        for (const planner::Pull& pull : statement.workbench->pulls) lines.push_back("  Pull " + pull.name + ": " + pull.shard_sql);
        lines.push_back("  Statement: " + statement.workbench->final_sql);
    }
    session.release_statement_leases();
    if (request.simple()) {
        const std::vector<wire::Field> fields{{.name = "QUERY PLAN", .type = 25}};
        wire::write_row_description(session.answer(), fields);
    }
    for (std::string& line : lines) {
        std::replace(line.begin(), line.end(), '\n', ' ');
        const std::vector<std::string> row(1, line);
        wire::write_text_row(session.answer(), row);
    }
    session.complete(request, "EXPLAIN");
}

}  // namespace pgmosaic::coordinator

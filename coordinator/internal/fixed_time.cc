#include "coordinator/internal/fixed_time.h"

#include "planner/fixed_time.h"

namespace pgmosaic::coordinator {

bool FixedTime::is_wanted(const Session& session, const Request& request) {
    const planner::Statement& statement = request.statement;
    if (statement.rewritten.empty() || !planner::has_time_places(statement.rewritten)) return false;
    // A read that the workbench finishes by itself has its one time there.
    const bool one_clock = statement.plan == planner::PlanKind::kWorkbench && !statement.writes && !session.in_transaction();
    return !one_clock;
}

Task<> put_times(Session& session, std::vector<std::string>& texts) {
    const auto& participants = session.transaction().participants();
    const bool begun = !participants.empty() && !participants.contains(session.home());
    ShardId clock = session.home();
    if (begun) clock = participants.begin()->first;
    const auto times = co_await session.query_shard(
        clock,
        "SELECT pg_catalog.to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' FROM (VALUES (1, pg_catalog.now()), "
        "(2, pg_catalog.statement_timestamp())) AS v (n, t) ORDER BY n",
        false);
    session.release_statement_leases();
    const std::string transaction_time = times.rows.at(0).at(0).value_or(""), statement_time = times.rows.at(1).at(0).value_or("");
    for (std::string& text : texts) text = planner::with_times(text, transaction_time, statement_time);
}

Task<> FixedTime::read() {
    std::vector<std::string> texts(1, outer_.statement.rewritten);
    co_await put_times(session_, texts);
    replanned_.plan(session_, outer_, std::move(texts.front()));
}

}  // namespace pgmosaic::coordinator

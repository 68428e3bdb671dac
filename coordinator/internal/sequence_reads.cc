#include "coordinator/internal/sequence_reads.h"

#include "planner/sequences.h"

namespace pgmosaic::coordinator {

std::string with_sequences(Session& session, const Request& request, std::string_view sql) {
    const planner::Statement& statement = request.statement;
    if (statement.moves_sequences) session.sequences().moved_at_home(statement.moved_sequences);
    if (session.sequences().at_home()) return std::string(sql);
    return planner::with_sequence_state(sql, session.sequences().document());
}

Task<> lift_sequence_reads(Session& session, const Request& outer, Replanned& lifted) {
    std::string select;
    for (const std::string& call : planner::sequence_reads(outer.sql)) select += (select.empty() ? "SELECT " : ", ") + call;
    SequenceState state = session.sequences();
    state.moving(outer.statement.moved_sequences);
    select = planner::with_sequence_state(select, state.document());
    co_await session.pin(session.home());
    const auto answer = co_await session.query_shard(session.home(), std::move(select), false);
    session.release_statement_leases();
    std::vector<std::string> values;
    for (const auto& value : answer.rows.at(0)) values.push_back(value.value_or("NULL"));
    lifted.plan(session, outer, planner::with_sequence_values(outer.sql, values));
    if (lifted.statement().lifts_reads) throw PgError(*outer.statement.refusal);
}

}  // namespace pgmosaic::coordinator

#include "coordinator/execute_colocated_insert.h"

#include "coordinator/execute.h"
#include "coordinator/execute_insert_select.h"

/// An INSERT takes its snapshot when it runs and says nothing about it (PROTOCOLS 2.5). Alone, it gets a REPEATABLE READ transaction
/// whose snapshots are one moment. That may fail with 40001 where READ COMMITTED does not (ON CONFLICT meets a row that is newer than
/// the snapshot); then, and in a READ COMMITTED transaction of the client's, the query is a SELECT of its own: a Bind has a moment.
namespace pgmosaic::coordinator {

namespace {

constexpr const char* kBegin = "BEGIN ISOLATION LEVEL REPEATABLE READ";

Task<> run_query_first(Session& session, const Request& request) {
    const planner::Statement& gathering = *request.statement.route.otherwise;
    if (gathering.plan == planner::PlanKind::kRefuse) {
        Error error = *gathering.refusal;
        error.hint = "Run it outside of a transaction, BEGIN ISOLATION LEVEL REPEATABLE READ, or SET mosaic.consistency = eventual.";
        throw PgError(std::move(error));
    }
    const Request gathered{gathering, request.sql, request.literals, request.bind, request.prepared, request.alone};
    co_await execute_insert_select(session, gathered, planner::details_of(gathering).rows);
}

/// False: it was rolled back, for a reason that READ COMMITTED does not know.
Task<bool> run_with_snapshots(Session& session, const Request& request) {
    std::optional<Error> failure;
    try {
        co_await execute_on_shards(session, request, kBegin);
    } catch (const PgError& error) {
        failure = error.error();
    }
    if (!failure) co_return true;
    const bool again = failure->code == sqlstate::kSerializationFailure && session.transaction().open();
    if (!again) throw PgError(*failure);
    co_await session.rollback();
    co_return false;
}

}  // namespace

Task<bool> insert_at_one_moment(Session& session, const Request& request) {
    const planner::Statement& statement = request.statement;
    if (statement.command != planner::Command::kInsert || statement.plan != planner::PlanKind::kScatter) co_return false;
    const std::size_t shards = session.shards_of(*statement.scatter, request).size();
    if (!session.needs_window(shards) || session.isolation() != Isolation::kReadCommitted) co_return false;
    // Rows of RETURNING have gone to the client when the shards are asked to commit: there is no second try.
    const bool direct = !session.transaction().open() && !statement.returns_rows;
    bool done = false;
    if (direct) done = co_await run_with_snapshots(session, request);
    if (!done) co_await run_query_first(session, request);
    co_return true;
}

}  // namespace pgmosaic::coordinator

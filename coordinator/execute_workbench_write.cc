#include "coordinator/execute_workbench_write.h"

#include <algorithm>

#include "coordinator/execute.h"
#include "coordinator/internal/bench.h"
#include "coordinator/internal/bench_fills.h"
#include "coordinator/internal/row_changes.h"
#include "coordinator/internal/shard_statement.h"

/// Writes that no shard can do for itself. The rows that may change are locked on their shards and pulled to the workbench, then what else
/// the statement reads; it runs there as it was written, over temporary tables, so that PostgreSQL itself decides what becomes of which
/// row; its answer is the client's. What it did to the temporary tables is then done on the shards, in the client's transaction.
namespace pgmosaic::coordinator {

namespace {

class WorkbenchWrite {
   public:
    WorkbenchWrite(Session& session, const Request& request)
        : session_(session), request_(request), plan_(*request.statement.workbench), written_(planner::details_of(request.statement).written),
          bench_(session), fills_(session, request, bench_, written_) {
        changes_.reserve(written_.size());
        for (const planner::WrittenTable& table : written_) changes_.emplace_back(session, request, table, bench_);
    }

    /// Returns the command tag. Errors: ConnectionLost if it was a shard's.
    Task<std::string> run() {
        Task<std::string> work = run_all();
        co_return co_await bench_.run(std::move(work));
    }

   private:
    Task<std::string> run_all() {
        // PostgreSQL judges the statement as it was written: its names, its types.
        const std::vector<Oid> types = request_.prepared == nullptr ? std::vector<Oid>{} : request_.prepared->types;
        co_await session_.describe(request_.sql, types);
        co_await lock_reference_tables();
        co_await bench_.open();
        bench_.begin();
        co_await bring_rows();
        if (fills_.any()) co_await fills_.fetch(plan_.final_sql);
        bench_.put("SAVEPOINT pgm_statement");
        co_await bench_.settle();
        bench_.put_final(request_, plan_.final_sql);
        std::string answer;
        std::string tag = co_await bench_.relay_answer(&answer);
        // Values of types that travel as text must not lose anything on the way.
        bench_.put("SET LOCAL extra_float_digits = 3;SET LOCAL DateStyle = ISO");
        co_await bench_.settle();
        co_await change_rows();
        session_.answer() += answer;
        bench_.put("ROLLBACK");
        co_await bench_.settle();
        co_return counted(std::move(tag));
    }

    /// Their writers follow one another, home first (PROTOCOLS 1.11).
    Task<> lock_reference_tables() {
        for (const planner::WrittenTable& table : written_) {
            if (table.lock_sql.empty()) continue;
            const std::vector<ShardId> leader(1, session_.home());
            co_await run_on_shards(session_, leader, table.lock_sql, true);
            co_await run_on_shards(session_, session_.other_shards(), table.lock_sql, true);
        }
    }

    /// First those that are locked: what is read then cannot be older.
    Task<> bring_rows() {
        std::string sql;
        for (const RowChanges& table : changes_) sql += table.create_sql();
        bench_.put(sql + fills_.create_sql());
        for (RowChanges& table : changes_) co_await table.pull();
        co_await pull_tables(session_, request_, bench_);
        std::string keep;
        for (const RowChanges& table : changes_) keep += table.keep_sql();
        if (!keep.empty()) bench_.put(keep);
        co_await bench_.settle();
    }

    Task<> change_rows() {
        for (RowChanges& table : changes_) co_await table.read();
        for (RowChanges& table : changes_) co_await table.remove();
        for (RowChanges& table : changes_) co_await table.update();
        for (RowChanges& table : changes_) co_await table.insert();
    }

    /// Where triggers may have kept rows as they were, the shards know how many were changed.
    std::string counted(std::string tag) const {
        std::uint64_t rows = 0;
        bool triggers = false;
        for (std::size_t i = 0; i < written_.size(); ++i) {
            if (!written_[i].main) continue;
            rows += changes_[i].rows();
            triggers |= written_[i].ordinary_triggers;
        }
        const std::size_t space = tag.rfind(' ');
        if (!triggers || space == std::string::npos) return tag;
        return tag.substr(0, space + 1) + std::to_string(rows);
    }

    Session& session_;
    const Request& request_;
    const planner::Workbench& plan_;
    const std::vector<planner::WrittenTable>& written_;
    Bench bench_;
    BenchFills fills_;
    std::vector<RowChanges> changes_;
};

}  // namespace

Task<> execute_workbench_write(Session& session, const Request& request) {
    const bool own = session.ensure_transaction();
    std::string tag;
    try {
        WorkbenchWrite run(session, request);
        tag = co_await run.run();
    } catch (const backend::ConnectionLost&) {
        session.on_connection_lost(false, false);
    }
    if (own) co_await session.commit();
    session.complete(request, std::move(tag));
}

}  // namespace pgmosaic::coordinator

#include "coordinator/execute.h"
#include "coordinator/execute_workbench_write.h"
#include "coordinator/internal/bench.h"
#include "coordinator/internal/repeat_read.h"
#include "coordinator/internal/workbench_pull.h"
#include "planner/plan_details.h"

/// Queries that only a whole PostgreSQL can finish: the rows they need are pulled from the shards into temporary tables of a
/// transaction on the workbench, the query runs there, and the transaction is rolled back: nothing ever remains.
namespace pgmosaic::coordinator {

using planner::Pull;

namespace {

class WorkbenchRun {
   public:
    WorkbenchRun(Session& session, const Request& request)
        : session_(session), request_(request), plan_(*request.statement.workbench), bench_(session) {}

    /// Returns the command tag. Errors: ConnectionLost if it was a shard's.
    Task<std::string> run() {
        Task<std::string> work = run_all();
        co_return co_await bench_.run(std::move(work));
    }

   private:
    Task<std::string> run_all() {
        co_await bench_.open();
        bench_.begin();
        co_await pull_tables(session_, request_, bench_);
        session_.release_statement_leases();
        co_await bench_.settle();
        bench_.put_final(request_, plan_.final_sql);
        bench_.put("ROLLBACK");
        co_return co_await bench_.relay_answer();
    }

    Session& session_;
    const Request& request_;
    const planner::Workbench& plan_;
    Bench bench_;
};

}  // namespace

Task<> pull_tables(Session& session, const Request& request, Bench& bench) {
    const planner::Workbench& plan = *request.statement.workbench;
    for (const Pull& pull : plan.pulls) {
        bench.put("CREATE TEMPORARY TABLE pg_temp." + planner::quote_identifier(pull.name) + " (" + pull.definition + ") ON COMMIT DROP");
    }
    WorkbenchPulls pulls(session, request);
    co_await pulls.begin();
    for (std::size_t i = 0; i < plan.pulls.size(); ++i) {
        const std::string table = "pg_temp." + planner::quote_identifier(plan.pulls[i].name);
        co_await pulls.send(i);
        bench.begin_copy(table);
        co_await pulls.receive([&bench](std::string_view body) { bench.add_row(body); }, [&bench] { return bench.write_when_large(); });
        co_await bench.end_copy(table);
    }
    co_await pulls.end();
}

Task<> execute_workbench(Session& session, const Request& request) {
    if (!planner::details_of(request.statement).written.empty()) {
        co_await execute_workbench_write(session, request);
        co_return;
    }
    std::string tag;
    for (int attempt = 1;; ++attempt) {
        const std::uint64_t begin = session.client().position();
        bool is_lost = false;
        try {
            WorkbenchRun run(session, request);
            tag = co_await run.run();
        } catch (const backend::ConnectionLost&) {
            is_lost = true;
        }
        if (!is_lost) break;
        session.on_connection_lost(false, attempt < kReadAttemptsMax && may_repeat_read(session, request, begin));
    }
    session.complete(request, std::move(tag));
}

}  // namespace pgmosaic::coordinator

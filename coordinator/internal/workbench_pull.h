#pragma once

#include <string>
#include <vector>

#include "coordinator/internal/one_moment.h"
#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// Makes `pg_mosaic.open_cursors(names, queries)` in a database; repeatable, run by a superuser who may write to pg_mosaic.
///
/// It opens a cursor for each query. It is STABLE, so that all of them read by the snapshot of the statement that calls it: in a
/// READ COMMITTED transaction, what several statements read would be several moments (PROTOCOLS 2.6).
extern const char* const kWorkbenchSchema;

/// The shards' side of a workbench query: one moment per shard for all pulls of the statement.
///
/// Lifetime  borrows session, request and plan
/// Errors    the shards', with the shard's name; 0A000 where one moment cannot be had; ConnectionLost
/// Bound     the output of `sink`, which the caller writes when it is large
class WorkbenchPulls {
   public:
    WorkbenchPulls(Session& session, const Request& request) : session_(session), request_(request), plan_(*request.statement.workbench) {}
    ~WorkbenchPulls();
    WorkbenchPulls(const WorkbenchPulls&) = delete;
    WorkbenchPulls& operator=(const WorkbenchPulls&) = delete;

    /// Takes the shards' connections and fixes the moment.
    Task<> begin();
    /// Sends pull number `i` to its shards.
    Task<> send(std::size_t i);
    /// Rows of the pull that was sent last go to `row` as DataRow bodies, in binary; after each buffer of them `pause` is awaited.
    template <class Row, class Pause>
    Task<> receive(Row row, Pause pause);
    Task<> end();

   private:
    enum class Moment : std::uint8_t {
        kStatement,    ///< one statement per shard needs no more
        kTransaction,  ///< a REPEATABLE READ block around the pulls
        kSession,      ///< the client's own transaction has one snapshot
        kCursors,      ///< READ COMMITTED: cursors of one snapshot
    };

    Moment choose_moment() const;
    std::vector<ShardId> shards_of(const planner::Pull& pull) const;
    Task<> begin_transactions();
    Task<> open_cursors();
    Task<> send_parts(const Request& request, std::vector<MomentPart> parts, ShardFormats formats, bool may_run_twice);
    Task<> on_all(std::string sql);
    Task<> check_errors();

    Session& session_;
    const Request& request_;
    const planner::Workbench& plan_;
    Moment moment_ = Moment::kStatement;
    std::vector<Participant*> participants_;  ///< by shard
    std::vector<ShardReply> replies_;         ///< of the pull in hand
    bool finished_ = false;
};

template <class Row, class Pause>
Task<> WorkbenchPulls::receive(Row row, Pause pause) {
    for (ShardReply& reply : replies_) {
        while (!reply.done()) {
            if (!reply.take(row, [] { return true; })) {
                co_await reply.fill();
                continue;
            }
            co_await pause();
        }
        if (reply.error()) break;
    }
    co_await check_errors();
}

}  // namespace pgmosaic::coordinator

#include "coordinator/admin/placement_gate.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "base/log.h"
#include "coordinator/session.h"

namespace pgmosaic::coordinator {

namespace {

constexpr Clock::duration kWholeWait = 10s;
constexpr Clock::duration kOneTry = 500ms;
/// Nobody knows a table that this very transaction made: whoever names it has been sent to the servers at once.
constexpr Clock::duration kWaitForNewTables = 100ms;
constexpr Clock::duration kPause = 100ms;
/// A commit that takes longer than this (a shard is failing over) lets new statements in again only when it is over.
constexpr Clock::duration kHeldMax = 60s;

Task<> pause(Clock::duration length) {
    asio::steady_timer timer(co_await asio::this_coro::executor, length);
    co_await timer.async_wait(asio::use_awaitable);
}

Task<bool> close_on(Core& core, std::string database, Deadline deadline) {
    Gate& gate = core.gate(database);
    gate.close(Deadline::after(kHeldMax));
    co_return co_await gate.drained(deadline);
}

void open_everywhere(Cluster& cluster, const std::string& database) {
    for (Core* core : cluster.cores()) {
        asio::post(core->executor(), [core, database] { core->gate(database).open(); });
    }
}

/// Ends what waits for a lock of this transaction; the servers of its participants know who that is.
Task<> end_waiters(Session& session) {
    for (auto& [shard, participant] : session.transaction().participants()) {
        const std::string pid = std::to_string(participant.connection().backend_pid());
        const auto ended = co_await service_query(
            session.core(), shard, "postgres",
            "SELECT pg_catalog.pg_cancel_backend(pid) FROM (SELECT DISTINCT pid FROM pg_catalog.pg_locks WHERE NOT granted AND "
            "locktype = 'relation') AS waiting WHERE " + pid + " = ANY (pg_catalog.pg_blocking_pids(pid))");
        if (!ended.rows.empty()) spdlog::info("placement ended_waiting_statements {} count={}",
                                              log_field("shard", session.shard_name(shard)), ended.rows.size());
    }
}

/// One try: true if every core has been emptied.
Task<bool> close_everywhere(Session& session, Deadline deadline) {
    Cluster& cluster = session.core().cluster();
    const std::string database = session.database();
    for (Core* core : cluster.cores()) {
        asio::post(core->executor(), [core, database] { core->gate(database).close(Deadline::after(kHeldMax)); });
    }
    co_await end_waiters(session);
    bool empty = true;
    for (Core* core : cluster.cores()) {
        const bool drained = co_await asio::co_spawn(core->executor(), close_on(*core, database, deadline), asio::use_awaitable);
        empty = empty && drained;
    }
    co_return empty;
}

/// Whoever holds the gates of a database, as others find out about it. Serves several cores.
class Holder {
   public:
    Holder(Cluster& cluster, std::shared_ptr<Database> database) : cluster_(cluster), database_(std::move(database)) {}
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    ~Holder() {
        database_->invalidate();
        open_everywhere(cluster_, database_->name());
        database_->placement_changing.store(false);
    }

   private:
    Cluster& cluster_;
    std::shared_ptr<Database> database_;
};

Task<GateHold> become_holder(Session& session, Deadline deadline) {
    auto database = session.core().cluster().database(session.database());
    while (database->placement_changing.exchange(true)) {
        if (deadline.passed()) co_return nullptr;
        co_await pause(10ms);
    }
    co_return std::make_shared<Holder>(session.core().cluster(), database);
}

}  // namespace

bool try_enter_gate(Session& session) {
    GateVisit& visit = session.transaction().gate;
    if (visit.inside) return true;
    if (visit.gate == nullptr) visit.gate = &session.core().gate(session.database());
    visit.inside = visit.gate->try_enter();
    return visit.inside;
}

Task<> enter_gate(Session& session) {
    if (try_enter_gate(session)) co_return;
    GateVisit& visit = session.transaction().gate;
    const bool entered = co_await visit.gate->enter();
    if (!entered) {
        throw PgError(Error{.code = sqlstate::kCannotConnectNow,
                            .message = "the place of a table is being changed",
                            .hint = "Try again."});
    }
    visit.inside = true;
}

void leave_gate(Session& session) {
    GateVisit& visit = session.transaction().gate;
    if (!visit.inside) return;
    visit.inside = false;
    visit.gate->leave();
}

Task<> hold_gate(Session& session) {
    Transaction& transaction = session.transaction();
    if (!transaction.placement_changed || transaction.placement_hold) co_return;
    // What this session does from here to its ReadyForQuery is the commit.
    leave_gate(session);
    const bool only_new = !transaction.placement_of_old_table_changed;
    const Clock::duration one_try = only_new ? kWaitForNewTables : kOneTry;
    const Deadline deadline = Deadline::after(only_new ? kWaitForNewTables : kWholeWait);
    GateHold hold = co_await become_holder(session, Deadline::after(kWholeWait));
    bool empty = false;
    while (hold && !empty) {
        empty = co_await close_everywhere(session, Deadline::after(one_try));
        if (empty || (only_new && deadline.passed())) break;
        if (deadline.passed()) {
            hold.reset();
            break;
        }
        open_everywhere(session.core().cluster(), session.database());
        co_await pause(kPause);
    }
    if (!hold) {
        throw PgError(Error{.code = sqlstate::kObjectInUse,
                            .message = "the table is still in use: statements of other sessions did not end in time",
                            .detail = "What they were planned for would no longer hold.",
                            .hint = "Try again when they have ended."});
    }
    transaction.placement_hold = std::move(hold);
}

}  // namespace pgmosaic::coordinator

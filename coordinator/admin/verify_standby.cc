// The common moment: writers are kept off the table by a SHARE lock, a commit marks a position in the WAL, the standby replays
// up to it, both sides take their snapshots, and only then the writers go on. The reading itself holds up nobody.

#include "coordinator/admin/verify_standby.h"

#include <boost/asio/steady_timer.hpp>

#include "backend/service_connection.h"

namespace pgmosaic::coordinator {

namespace {

using backend::ServiceConnection;

// Writers may wait for this long at most.
constexpr auto kMomentMax = 3s;
constexpr auto kReadMax = 1h;
constexpr auto kReplayLook = 5ms;
// Behind a long writer our request for the lock would hold up the others: it is given up soon, and repeated.
constexpr const char* kLockTimeout = "SET lock_timeout = '200ms'";
constexpr int kTries = 10;
constexpr auto kTryAgain = 200ms;

Task<> pause_verify(Clock::duration length) {
    asio::steady_timer timer(co_await asio::this_coro::executor, length);
    co_await timer.async_wait(asio::use_awaitable);
}

struct Connections {
    std::unique_ptr<ServiceConnection> locker{};
    std::unique_ptr<ServiceConnection> primary{};
    std::unique_ptr<ServiceConnection> standby{};
};

Task<Result<Connections>> open_all(backend::ServerAddress primary, backend::ServerAddress standby, Deadline deadline) {
    Connections made;
    auto locker = co_await ServiceConnection::open(primary, deadline);
    if (!locker) co_return locker.error();
    made.locker = std::move(*locker);
    auto reader = co_await ServiceConnection::open(std::move(primary), deadline);
    if (!reader) co_return reader.error();
    made.primary = std::move(*reader);
    auto follower = co_await ServiceConnection::open(std::move(standby), deadline);
    if (!follower) co_return follower.error();
    made.standby = std::move(*follower);
    co_return made;
}

/// Runs the statements, each a message of its own; the last one's value.
Task<Result<std::string>> run_each(ServiceConnection& connection, std::vector<std::string> statements, Deadline deadline) {
    std::string value;
    for (std::string& statement : statements) {
        const auto done = co_await connection.query(std::move(statement), deadline);
        if (!done) co_return done.error();
        value = done->scalar();
    }
    co_return value;
}

Task<Result<void>> wait_replayed(ServiceConnection& standby, std::string position, Deadline deadline) {
    const std::string question = "SELECT pg_catalog.pg_last_wal_replay_lsn() >= '" + position + "'::pg_catalog.pg_lsn";
    while (true) {
        const auto there = co_await standby.query(question, deadline);
        if (!there) co_return there.error();
        if (there->scalar() == "t") co_return Result<void>();
        if (deadline.passed()) co_return Error{.code = sqlstate::kQueryCanceled, .message = "the standby does not catch up"};
        co_await pause_verify(kReplayLook);
    }
}

Task<Result<void>> take_moment(Connections& servers, std::string table, Deadline deadline) {
    std::vector<std::string> lock;
    lock.push_back(kLockTimeout);
    lock.push_back("BEGIN ISOLATION LEVEL REPEATABLE READ");
    lock.push_back("LOCK TABLE " + table + " IN SHARE MODE");  // before the snapshot
    lock.push_back("SELECT pg_catalog.pg_export_snapshot()");
    const auto snapshot = co_await run_each(*servers.locker, std::move(lock), deadline);
    if (!snapshot) co_return snapshot.error();
    // A commit of its own: it flushes what was committed before it, and has an end that replay reaches.
    const auto position = co_await servers.primary->query("SELECT pg_catalog.pg_logical_emit_message(true, 'mosaic', 'verify')", deadline);
    if (!position) co_return position.error();
    std::vector<std::string> join;
    join.push_back("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    join.push_back("SET TRANSACTION SNAPSHOT '" + *snapshot + "'");
    const auto joined = co_await run_each(*servers.primary, std::move(join), deadline);
    if (!joined) co_return joined.error();
    const auto replayed = co_await wait_replayed(*servers.standby, position->scalar(), deadline);
    if (!replayed) co_return replayed.error();
    std::vector<std::string> look;
    look.push_back("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    look.push_back("SELECT 1");
    const auto looked = co_await run_each(*servers.standby, std::move(look), deadline);
    if (!looked) co_return looked.error();
    const auto released = co_await servers.locker->query("ROLLBACK", deadline);
    if (!released) co_return released.error();
    co_return Result<void>();
}

Task<Result<Comparison>> compare_once(backend::ServerAddress primary, backend::ServerAddress standby, std::string table) {
    const Deadline moment = Deadline::after(kMomentMax);
    auto servers = co_await open_all(std::move(primary), std::move(standby), moment);
    if (!servers) co_return servers.error();
    const auto taken = co_await take_moment(*servers, table, moment);
    if (!taken) co_return taken.error();
    const Deadline reading = Deadline::after(kReadMax);
    const auto here = co_await servers->primary->query(table_sum_sql(table), reading);
    if (!here) co_return here.error();
    const auto there = co_await servers->standby->query(table_sum_sql(table), reading);
    if (!there) co_return there.error();
    const bool same = here->scalar() == there->scalar();
    co_return Comparison{.same = same, .detail = same ? here->scalar() : "primary " + here->scalar() + ", standby " + there->scalar()};
}

}  // namespace

std::string table_sum_sql(const std::string& table) {
    return "SELECT pg_catalog.count(*) || ' rows, checksum ' || "
           "COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(each::pg_catalog.text, 0)), 0) FROM " + table + " AS each";
}

Task<Result<Comparison>> compare_with_standby(backend::ServerAddress primary, backend::ServerAddress standby, std::string table) {
    for (int tries = 1;; ++tries) {
        auto compared = co_await compare_once(primary, standby, table);
        // A long writer, or a standby that must replay what our reading holds up: both pass.
        if (compared || tries == kTries) co_return compared;
        co_await pause_verify(kTryAgain);
    }
}

}  // namespace pgmosaic::coordinator

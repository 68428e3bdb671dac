#include "replication/internal/server_orders.h"

#include <boost/asio/steady_timer.hpp>

#include "replication/internal/node_look.h"
#include "replication/internal/own_trouble.h"

namespace pgmosaic::replication {

namespace {

// While a standby takes over it looks for WAL this often; two of these pass before it counts as drained.
constexpr const char* kQuickRetry = "20ms";
constexpr auto kOrderPollInterval = 5ms;

Error not_ready(std::string message) {
    return Error{.code = sqlstate::kObjectNotInPrerequisiteState, .message = std::move(message)};
}

std::string quoted(std::string_view text) {
    std::string literal = "'";
    for (char c : text) {
        if (c == '\'') literal += c;
        literal += c;
    }
    return literal + '\'';
}

/// ALTER SYSTEM runs outside of transactions, so each is a message of its own.
Task<Result<void>> run_all(ServerSession& server, std::vector<std::string> statements, Deadline deadline) {
    for (std::string& statement : statements) {
        const auto done = co_await server.query(std::move(statement), deadline);
        if (!done) co_return done.error();
    }
    co_return Result<void>();
}

Task<Result<void>> run_one(ServerSession& server, std::string statement, Deadline deadline) {
    const auto done = co_await server.query(std::move(statement), deadline);
    if (!done) co_return done.error();
    co_return Result<void>();
}

Task<> short_pause() {
    asio::steady_timer timer(co_await asio::this_coro::executor, kOrderPollInterval);
    co_await timer.async_wait(asio::use_awaitable);
}

/// Asks until the answer is `t`.
Task<Result<void>> wait_true(ServerSession& server, std::string question, std::string otherwise, Deadline deadline) {
    while (true) {
        const auto answer = co_await server.query(question, deadline);
        if (!answer) co_return answer.error();
        if (answer->scalar() == "t") co_return Result<void>();
        if (deadline.passed()) co_return not_ready(std::move(otherwise));
        co_await short_pause();
    }
}

/// A commit under way. Shared: the proof and the commit may each be the last to need it.
struct MarkedCommit {
    explicit MarkedCommit(backend::ServerAddress address) : session(std::move(address)) {}
    ServerSession session;
    Result<void> outcome{};
    bool done = false;
};

/// Returns when the standby has replayed it.
Task<> commit_marked(std::shared_ptr<MarkedCommit> commit, Deadline deadline) {
    try {
        const auto done = co_await commit->session.query("SELECT pg_logical_emit_message(true, 'mosaic', 'proof of waiting')", deadline);
        if (!done) commit->outcome = done.error();
        if (done && done->unreplicated) commit->outcome = not_ready("a commit did not wait for its standby");
    } catch (...) {
        commit->outcome = error_of_current_exception();
    }
    commit->done = true;
}

/// Sees the commit wait, then lets replay go on whatever happened.
Task<Result<void>> watch_waiting(ServerSession& primary, ServerSession& standby, int committer_pid, Deadline deadline) {
    // Half of the time is for the standby to go on.
    const Deadline half{Clock::now() + (deadline.at - Clock::now()) / 2};
    auto seen = co_await wait_true(primary,
                                   "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND pid = " +
                                       std::to_string(committer_pid),
                                   "commits do not wait for the standby", half);
    const auto resumed = co_await resume_replay(standby, deadline);
    co_return seen ? resumed : seen;
}

Task<Result<void>> pause_replay(ServerSession& standby, Deadline deadline) {
    auto paused = co_await run_one(standby, "SELECT pg_wal_replay_pause()", deadline);
    if (paused) {
        const Deadline third{Clock::now() + (deadline.at - Clock::now()) / 3};
        paused = co_await wait_true(standby, "SELECT pg_get_wal_replay_pause_state() = 'paused'", "replay does not pause", third);
    }
    if (!paused) co_await resume_replay(standby, deadline);
    co_return paused;
}

Task<Result<void>> see_a_commit_wait(TaskGroup& tasks, std::shared_ptr<MarkedCommit> commit, ServerSession& primary,
                                     ServerSession& standby, Deadline deadline) {
    tasks.spawn(commit_marked(commit, deadline));
    const auto seen = co_await watch_waiting(primary, standby, commit->session.backend_pid(), deadline);
    if (!seen) co_return seen;
    while (!commit->done && !deadline.passed()) co_await short_pause();
    co_return commit->done ? commit->outcome : Result<void>(not_ready("a commit was not acknowledged"));
}

Task<Result<void>> wait_flushed(ServerSession& primary, std::string standby_name, Deadline deadline) {
    const auto position = co_await primary.query("SELECT pg_current_wal_flush_lsn()", deadline);
    if (!position) co_return position.error();
    std::string question = "SELECT count(*) = 1 AND bool_and(flush_lsn >= " + quoted(position->scalar()) +
                           "::pg_lsn) FROM pg_stat_replication WHERE application_name = " + quoted(standby_name);
    co_return co_await wait_true(primary, std::move(question), "the standby does not flush what the primary has", deadline);
}

}  // namespace

Task<Result<void>> stop_receiver(ServerSession& standby, Deadline deadline) {
    std::vector<std::string> orders;
    orders.push_back("ALTER SYSTEM SET primary_conninfo = ''");
    orders.push_back(std::string("ALTER SYSTEM SET wal_retrieve_retry_interval = '") + kQuickRetry + "'");
    const auto command = co_await standby.query("SELECT current_setting('restore_command')", deadline);
    if (!command) co_return command.error();
    if (!command->scalar().empty()) orders.push_back("ALTER SYSTEM SET restore_command = ''");
    orders.push_back("SELECT pg_reload_conf()");
    co_return co_await run_all(standby, std::move(orders), deadline);
}

Task<Result<void>> resume_replay(ServerSession& standby, Deadline deadline) {
    co_return co_await run_one(standby, "SELECT pg_wal_replay_resume() WHERE pg_is_in_recovery()", deadline);
}

Task<Result<void>> promote(ServerSession& standby, Deadline deadline) {
    // Not waited for: its own wait looks every 100 ms only.
    co_return co_await run_one(standby, "SELECT pg_promote(wait => false) WHERE pg_is_in_recovery()", deadline);
}

Task<Result<void>> forget_quick_retry(ServerSession& primary, Deadline deadline) {
    std::vector<std::string> orders;
    orders.push_back("ALTER SYSTEM RESET wal_retrieve_retry_interval");
    orders.push_back("SELECT pg_reload_conf()");
    co_return co_await run_all(primary, std::move(orders), deadline);
}

Task<Result<void>> set_names(ServerSession& server, std::string names, Deadline deadline) {
    std::vector<std::string> orders;
    orders.push_back("ALTER SYSTEM SET synchronous_standby_names = " + quoted(names));
    orders.push_back("SELECT pg_reload_conf()");
    co_return co_await run_all(server, std::move(orders), deadline);
}

Task<Result<void>> drop_slot(ServerSession& primary, std::string name, Deadline deadline) {
    // Its walsender may need a moment to notice that the standby is gone.
    auto idle = co_await wait_true(primary, "SELECT count(*) = 0 FROM pg_replication_slots WHERE active AND slot_name = " + quoted(name),
                                   "the standby's slot is still in use", deadline);
    if (!idle) co_return idle;
    co_return co_await run_one(primary, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = " + quoted(name),
                               deadline);
}

Task<Result<Epoch>> write_epoch(ServerSession& primary, Epoch epoch, std::string node, Deadline deadline) {
    const auto known = co_await primary.query("SELECT to_regclass('pg_mosaic.epoch') IS NOT NULL", deadline);
    if (!known) co_return known.error();
    std::string sql;
    if (known->scalar() != "t") {
        sql = "SET LOCAL allow_system_table_mods = on; CREATE SCHEMA IF NOT EXISTS pg_mosaic;"
              " CREATE TABLE IF NOT EXISTS pg_mosaic.epoch (epoch bigint PRIMARY KEY, node text NOT NULL,"
              " at timestamptz NOT NULL DEFAULT now());";
    }
    // One query string is one transaction: its single commit is the barrier.
    sql += "INSERT INTO pg_mosaic.epoch (epoch, node) VALUES (" + std::to_string(epoch.value) + ", " + quoted(node) +
           ") ON CONFLICT DO NOTHING; SELECT pg_logical_emit_message(true, 'mosaic', 'barrier');"
           " SELECT max(epoch) FROM pg_mosaic.epoch";
    const auto written = co_await primary.query(std::move(sql), deadline);
    if (!written) co_return written.error();
    if (written->unreplicated) co_return not_ready("a barrier was not acknowledged by the standby");
    co_return Epoch{std::strtoull(written->scalar().c_str(), nullptr, 10)};
}

Task<Result<void>> prove_waiting(TaskGroup& tasks, backend::ServerAddress committer, ServerSession& primary,
                                 ServerSession& standby, std::string standby_name, Deadline deadline) {
    const auto commit = std::make_shared<MarkedCommit>(std::move(committer));
    const auto opened = co_await commit->session.open(deadline);
    if (!opened) co_return opened.error();
    const auto paused = co_await pause_replay(standby, deadline);
    if (!paused) co_return paused.error();
    const auto seen = co_await see_a_commit_wait(tasks, commit, primary, standby, deadline);
    if (!seen) co_return seen.error();
    co_return co_await wait_flushed(primary, std::move(standby_name), deadline);
}

}  // namespace pgmosaic::replication

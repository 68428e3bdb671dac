#include "coordinator/commit_token.h"

#include <boost/asio/steady_timer.hpp>

#include "base/log.h"
#include "coordinator/decision.h"
#include "planner/planner.h"

namespace pgmosaic::coordinator {

namespace {

constexpr auto kOutcomePause = 20ms;
constexpr auto kOutcomeSearchMax = 10s;
constexpr auto kOutcomeOrderMax = 5s;
constexpr const char* kOutcomeBarrier =
    "SET synchronous_commit = on;SELECT pg_catalog.pg_logical_emit_message(true, 'mosaic', '')";

/// As the description of a WAL record shows a payload: `61 62 63`.
std::string as_payload(const std::string& word) {
    std::string text;
    for (const unsigned char c : word) {
        if (!text.empty()) text += ' ';
        text += "0123456789ABCDEF"[c >> 4];
        text += "0123456789ABCDEF"[c & 15];
    }
    return text;
}

Task<> pause_for_outcome() {
    asio::steady_timer timer(co_await asio::this_coro::executor, kOutcomePause);
    co_await timer.async_wait(asio::use_awaitable);
}

/// On the server that was asked to commit, its session may still be at work: it is ended, and may say no more.
Task<Result<bool>> session_is_gone(backend::Connection& connection, CommitToken token) {
    const std::string one = "FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND pid = " +
                            std::to_string(token.backend_pid);
    const auto ended = co_await backend::run_query(
        connection, "SELECT pg_catalog.pg_terminate_backend(pid) " + one, Deadline::after(kOutcomeOrderMax));
    if (!ended) co_return ended.error();
    co_return ended->rows.empty();
}

Task<Result<bool>> barrier_here(backend::Connection& connection) {
    const auto done = co_await backend::run_query(connection, kOutcomeBarrier, Deadline::after(kOutcomeOrderMax));
    if (!done) co_return done.error();
    co_return !done->unreplicated;
}

Outcome outcome_of(const std::string& status) {
    if (status == "committed") return Outcome::kCommitted;
    return status == "in progress" ? Outcome::kUnknown : Outcome::kAbsent;
}

/// kUnknown: not yet; ask again.
Task<Result<Outcome>> look(backend::Connection& connection, CommitToken token, bool same_server) {
    if (same_server) {
        const auto gone = co_await session_is_gone(connection, token);
        if (!gone) co_return gone.error();
        if (!*gone) co_return Outcome::kUnknown;
    }
    // Whatever is asked for below lies before this.
    const auto before = co_await barrier_here(connection);
    if (!before) co_return before.error();
    if (!*before) co_return Outcome::kUnknown;
    // A survivor may never have received the WAL up to the floor, let alone what came behind it.
    const auto reached = co_await backend::run_query(
        connection, "SELECT pg_catalog.pg_current_wal_flush_lsn() > '" + to_string(Lsn{token.floor}) + "'", Deadline::after(kOutcomeOrderMax));
    if (!reached) co_return reached.error();
    Outcome outcome = Outcome::kAbsent;
    if (reached->scalar() == "t") {
        const auto found = co_await backend::run_query(connection, search_sql(token), Deadline::after(kOutcomeSearchMax));
        if (!found) co_return found.error();
        if (!found->rows.empty()) outcome = outcome_of(found->rows[0][0].value_or(""));
    }
    // What was read here counts when the standby has it, too.
    const auto after = co_await barrier_here(connection);
    if (!after) co_return after.error();
    co_return *after ? outcome : Outcome::kUnknown;
}

}  // namespace

const char* const kTokenStatement =
    "SELECT pg_catalog.pg_logical_emit_message(true, 'mosaic', $1::text) WHERE pg_catalog.pg_current_xact_id_if_assigned() IS NOT NULL";

const char* const kWaryTokenStatement =
    "SELECT pg_catalog.set_config('synchronous_commit', 'on', true), pg_catalog.pg_logical_emit_message(true, 'mosaic', $1::text) "
    "WHERE pg_catalog.pg_current_xact_id_if_assigned() IS NOT NULL";

// The functions of pg_walinspect under a name of ours: no extension shows in the user's database.
const char* const kTokenSchema = R"sql(
DO $do$ BEGIN
    CREATE OR REPLACE FUNCTION pg_mosaic.wal_records(from_lsn pg_lsn, OUT start_lsn pg_lsn, OUT end_lsn pg_lsn,
        OUT prev_lsn pg_lsn, OUT xid xid, OUT resource_manager text, OUT record_type text, OUT record_length int4,
        OUT main_data_length int4, OUT fpi_length int4, OUT description text, OUT block_ref text)
        RETURNS SETOF record LANGUAGE c STRICT AS '$libdir/pg_walinspect', 'pg_get_wal_records_info_till_end_of_wal';
    REVOKE ALL ON FUNCTION pg_mosaic.wal_records(pg_lsn) FROM PUBLIC;
EXCEPTION WHEN undefined_file OR undefined_function THEN NULL;
END $do$;
)sql";

CommitToken make_token(const Core& core, const Participant& participant) {
    CommitToken token{.shard = participant.shard()};
    if (!core.cluster().options().commit_tokens) return token;
    token.epoch = participant.generation();
    token.floor = core.cluster().wal_floor(token.shard).at(token.epoch);
    if (token.floor == 0) return token;
    token.backend_pid = participant.connection().backend_pid();
    token.word = make_nonce();
    return token;
}

std::string token_sql(const CommitToken& token) {
    if (token.word.empty()) return {};
    return "SELECT pg_catalog.pg_logical_emit_message(true, 'mosaic', '" + token.word +
           "') WHERE pg_catalog.pg_current_xact_id_if_assigned() IS NOT NULL;";
}

/// The record's transaction id has 32 bits; ours, taken now, tells which 4 thousand millions it belongs to.
std::string search_sql(const CommitToken& token) {
    return "SELECT pg_catalog.pg_xact_status((e + x - CASE WHEN e + x > m THEN 4294967296 ELSE 0 END)::text::xid8)"
           " FROM (SELECT pg_catalog.pg_current_xact_id()::text::bigint AS m) AS now,"
           " LATERAL (SELECT m / 4294967296 * 4294967296 AS e) AS epoch,"
           " LATERAL (SELECT r.xid::text::bigint AS x FROM pg_mosaic.wal_records('" + to_string(Lsn{token.floor}) + "') AS r"
           " WHERE r.resource_manager = 'LogicalMessage' AND pg_catalog.strpos(r.description, '" + as_payload(token.word) +
           "') > 0) AS found";
}

Task<Outcome> find_outcome(Core& core, CommitToken token, std::string database) {
    if (token.word.empty()) co_return Outcome::kUnknown;
    const ServerOptions& options = core.cluster().options();
    const Deadline deadline = Deadline::after(core.live().wait_timeout * 2);
    while (!deadline.passed()) {
        Result<Outcome> found = Outcome::kUnknown;
        try {
            backend::Lease lease = co_await core.service_pool().acquire(token.shard, database, options.service_user);
            found = co_await look(*lease, token, lease.generation() == token.epoch);
            if (!found) lease.discard();
        } catch (const PgError& error) {
            found = error.error();
        }
        if (found && *found != Outcome::kUnknown) co_return *found;
        if (!found) {
            spdlog::warn("transaction outcome_not_found {} {}", log_field("shard", core.map()->shard(token.shard).name),
                         log_field("error", found.error().message));
            if (found.error().code == sqlstate::kUndefinedFunction) break;  // its server lacks the contrib module
        }
        co_await pause_for_outcome();
    }
    co_return Outcome::kUnknown;
}

}  // namespace pgmosaic::coordinator

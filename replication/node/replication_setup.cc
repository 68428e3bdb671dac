#include <thread>

#include "replication/node/server.h"
#include "replication/node/sql.h"

namespace pgmosaic::node {

namespace {

constexpr auto kSlotPollInterval = 20ms;

Error not_in_time(std::string message) {
    return Error{.code = sqlstate::kCannotConnectNow, .message = std::move(message)};
}

/// Asks until the answer is `t`.
Result<void> wait_true(Sql& sql, const std::string& question, const std::string& standby, Deadline deadline,
                       const std::string& otherwise) {
    while (true) {
        const Result<SqlRows> answer = sql.run(question, {standby}, deadline);
        if (!answer) return answer.error();
        if (answer->scalar() == "t") return {};
        if (deadline.passed()) return not_in_time(otherwise);
        std::this_thread::sleep_for(kSlotPollInterval);
    }
}

}  // namespace

Result<void> ensure_slot(const ServerSpec& primary, const std::string& standby, Deadline deadline) {
    Result<Sql> sql = Sql::connect(conninfo(primary), deadline);
    if (!sql) return sql.error();
    // The old receiver is that of the standby that is just being made again.
    const std::string end_receiver = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active";
    if (Result<SqlRows> ended = sql->run(end_receiver, {standby}, deadline); !ended) return ended.error();
    if (Result<void> idle = wait_true(*sql, "SELECT count(*) = 0 FROM pg_replication_slots WHERE slot_name = $1 AND active",
                                      standby, deadline, "slot \"" + standby + "\" is still in use");
        !idle) {
        return idle;
    }
    const std::string drop_useless =
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
        " WHERE slot_name = $1 AND (restart_lsn IS NULL OR wal_status IN ('lost', 'unreserved'))";
    if (Result<SqlRows> dropped = sql->run(drop_useless, {standby}, deadline); !dropped) return dropped.error();
    // Reserved at once: else a restart forgets the position and the standby can only be cloned again (PROTOCOLS 3.10).
    const std::string create =
        "SELECT pg_create_physical_replication_slot($1, immediately_reserve => true)"
        " WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)";
    const Result<SqlRows> created = sql->run(create, {standby}, deadline);
    if (!created && created.error().code != sqlstate::kDuplicateObject) return created.error();
    return {};
}

Result<void> checkpoint(const ServerSpec& primary, Deadline deadline) {
    Result<Sql> sql = Sql::connect(conninfo(primary), deadline);
    if (!sql) return sql.error();
    if (Result<SqlRows> done = sql->run("CHECKPOINT", deadline); !done) return done.error();
    return {};
}

Result<void> wait_streaming(const ServerSpec& primary, const std::string& standby, Deadline deadline) {
    Result<Sql> sql = Sql::connect(conninfo(primary), deadline);
    if (!sql) return sql.error();
    return wait_true(*sql, "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'",
                     standby, deadline, "standby \"" + standby + "\" does not stream from \"" + primary.name + "\"");
}

Result<void> require_standby(const ServerSpec& primary, const std::string& standby, Deadline deadline) {
    if (Result<void> streams = wait_streaming(primary, standby, deadline); !streams) return streams;
    Result<Sql> sql = Sql::connect(conninfo(primary), deadline);
    if (!sql) return sql.error();
    const std::string names = "FIRST 1 (" + quote_identifier(standby) + ")";
    for (const std::string& statement : {"ALTER SYSTEM SET synchronous_standby_names = " + quote_literal(names),
                                         std::string("SELECT pg_reload_conf()")}) {
        if (Result<SqlRows> done = sql->run(statement, deadline); !done) return done.error();
    }
    return wait_true(*sql,
                     "SELECT count(*) = 1 FROM pg_stat_replication WHERE application_name = $1 AND sync_state = 'sync'",
                     standby, deadline, "standby \"" + standby + "\" of \"" + primary.name + "\" did not become synchronous");
}

}  // namespace pgmosaic::node

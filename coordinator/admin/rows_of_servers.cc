#include <map>
#include <set>

#include "base/log.h"
#include "coordinator/admin/view_rows.h"

namespace pgmosaic::coordinator {

namespace {

namespace json = boost::json;

json::value text_or_null(const std::optional<std::string>& value) { return value ? json::value(*value) : json::value(nullptr); }

/// Asks one shard; a shard that does not answer has no rows to show, which must not hide the others'.
Task<backend::QueryResult> ask(Session& session, ShardId shard, std::string database, std::string sql) {
    backend::QueryResult answer;
    if (!session.core().service_pool().endpoint(shard).available) co_return answer;
    try {
        answer = co_await service_query(session.core(), shard, std::move(database), std::move(sql));
    } catch (const PgError& error) {
        spdlog::info("views shard_not_asked {} {}", log_field("shard", session.shard_name(shard)),
                     log_field("error", error.error().message));
    }
    co_return answer;
}

}  // namespace

Task<JsonRows> transaction_rows(Session& session) {
    JsonRows rows;
    std::map<std::string, std::string> verdicts;
    std::set<std::string> seen;
    const shardmap::MapPointer map = session.core().cluster().map();
    for (ShardId shard : map->shard_ids()) {
        const auto found = co_await ask(session, shard, session.database(), "SELECT gid, verdict FROM pg_mosaic.decisions");
        for (const auto& row : found.rows) verdicts[row[0].value_or("")] = row[1].value_or("");
    }
    for (ShardId shard : map->shard_ids()) {
        const auto found = co_await ask(session, shard, session.database(),
                                        "SELECT gid, database, owner, to_json(prepared) #>> '{}' FROM pg_catalog.pg_prepared_xacts");
        for (const auto& row : found.rows) {
            const std::string gid = row[0].value_or("");
            seen.insert(gid);
            const auto verdict = verdicts.find(gid);
            rows.push_back(json::object{{"gid", gid}, {"shard", session.shard_name(shard)}, {"database", text_or_null(row[1])},
                                        {"owner", text_or_null(row[2])}, {"prepared", text_or_null(row[3])},
                                        {"verdict", verdict == verdicts.end() ? json::value(nullptr) : json::value(verdict->second)},
                                        {"in_flight", session.core().cluster().in_flight(gid)}});
        }
    }
    for (const auto& [gid, verdict] : verdicts) {
        if (seen.contains(gid)) continue;
        rows.push_back(json::object{{"gid", gid}, {"database", session.database()}, {"verdict", verdict},
                                    {"in_flight", session.core().cluster().in_flight(gid)}});
    }
    co_return rows;
}

Task<JsonRows> lock_rows(Session& session) {
    JsonRows rows;
    for (ShardId shard : session.core().cluster().map()->shard_ids()) {
        const auto found = co_await ask(
            session, shard, session.database(),
            "SELECT l.pid, l.locktype, CASE WHEN l.database = d.oid THEN l.relation::pg_catalog.regclass::text END, l.mode, l.granted, "
            "pg_catalog.array_to_string(CASE WHEN NOT l.granted THEN pg_catalog.pg_blocking_pids(l.pid) END, ','), a.usename, a.query "
            "FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database() "
            "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
            "WHERE (l.database = d.oid OR l.locktype = 'transactionid') AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()");
        for (const auto& row : found.rows) {
            rows.push_back(json::object{{"shard", session.shard_name(shard)}, {"pid", text_or_null(row[0])},
                                        {"locktype", text_or_null(row[1])}, {"relation", text_or_null(row[2])},
                                        {"mode", text_or_null(row[3])}, {"granted", row[4] == "t"},
                                        {"blocked_by", text_or_null(row[5])}, {"user_name", text_or_null(row[6])},
                                        {"query", text_or_null(row[7])}});
        }
    }
    co_return rows;
}

}  // namespace pgmosaic::coordinator

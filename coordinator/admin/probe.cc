#include "coordinator/admin/probe.h"

#include "backend/service_connection.h"
#include "base/task_group.h"

namespace pgmosaic::coordinator {

namespace {

// One row of the server's own, then one per standby that streams from it.
constexpr const char* kQuestion =
    "SELECT NULL, pg_catalog.pg_is_in_recovery()::text, "
    "(CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END)::text, "
    "(CASE WHEN pg_catalog.pg_is_in_recovery() THEN COALESCE((SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver), "
    "(SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())) ELSE ('x' || pg_catalog.substr(pg_catalog.pg_walfile_name("
    "pg_catalog.pg_current_wal_lsn()), 1, 8))::pg_catalog.bit(32)::int4 END)::text, "
    "(SELECT pg_catalog.sum(pg_catalog.pg_database_size(oid)) FROM pg_catalog.pg_database)::text "
    "UNION ALL SELECT application_name, sync_state, "
    "(CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), flush_lsn) END)::text, "
    "state, NULL FROM pg_catalog.pg_stat_replication";

std::int64_t number(const std::optional<std::string>& text) { return text && !text->empty() ? std::stoll(*text) : 0; }

NodeAnswer read_answer(const backend::QueryResult& result) {
    NodeAnswer answer{.answers = true};
    for (const auto& row : result.rows) {
        if (row[0]) {
            const bool sync = (row[1] == "sync" || row[1] == "quorum") && row[3] == "streaming";
            answer.standbys[*row[0]] = {.sync = sync, .lag_bytes = number(row[2])};
            continue;
        }
        answer.in_recovery = row[1] == "true";
        answer.lsn = row[2].value_or("");
        answer.timeline = static_cast<int>(number(row[3]));
        answer.size_bytes = number(row[4]);
    }
    return answer;
}

Task<> probe(backend::ServerAddress address, Deadline deadline, NodeAnswer& answer) {
    auto connection = co_await backend::ServiceConnection::open(std::move(address), deadline);
    if (!connection) co_return;
    const auto result = co_await (*connection)->query(kQuestion, deadline);
    if (result) answer = read_answer(*result);
}

}  // namespace

Task<std::map<NodeId, NodeAnswer>> probe_nodes(Core& core, shardmap::MapPointer map, Deadline deadline) {
    std::map<NodeId, NodeAnswer> answers;
    const ServerOptions& options = core.cluster().options();
    TaskGroup group(co_await asio::this_coro::executor);
    for (const shardmap::Shard& shard : map->shards()) {
        for (const shardmap::Node& node : shard.nodes) {
            const backend::ServerAddress address = options.service_address(node.host, node.port, "postgres");
            group.spawn(probe(address, deadline, answers[node.id]));
        }
    }
    co_await group.join();
    co_return answers;
}

}  // namespace pgmosaic::coordinator

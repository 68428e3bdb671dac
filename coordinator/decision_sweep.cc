#include "coordinator/decision_sweep.h"

#include <set>

#include "base/log.h"
#include "coordinator/decision.h"
#include "coordinator/session.h"
#include "planner/planner.h"

namespace pgmosaic::coordinator {

namespace {

constexpr const char* kOldDecisions =
    "SELECT d.gid FROM pg_mosaic.decisions d WHERE d.verdict = 'yes' OR NOT EXISTS ("
    "SELECT FROM pg_catalog.pg_stat_activity a WHERE a.backend_type = 'client backend' AND a.xact_start < d.made) LIMIT 1000";

struct OldDecisions {
    ShardId shard{};
    std::string database;
    std::vector<std::string> gids;
};

Task<std::vector<OldDecisions>> old_decisions(Core& core) {
    std::vector<OldDecisions> all;
    for (const auto& database : core.cluster().databases()) {
        if (!database->prepared()) continue;
        for (ShardId shard : core.map()->shard_ids()) {
            const auto found = co_await service_query(core, shard, database->name(), kOldDecisions);
            OldDecisions here{.shard = shard, .database = database->name(), .gids = {}};
            for (const auto& row : found.rows) {
                if (!core.cluster().in_flight(*row[0])) here.gids.push_back(*row[0]);
            }
            if (!here.gids.empty()) all.push_back(std::move(here));
        }
    }
    co_return all;
}

/// What is prepared anywhere, as it will also be after a failover: a gid that is gone counts behind a barrier (PROTOCOLS 1.1).
Task<std::set<std::string>> prepared_anywhere(Core& core) {
    std::set<std::string> gids;
    for (ShardId shard : core.map()->shard_ids()) {
        const auto found = co_await service_query(core, shard, "postgres", "SELECT gid FROM pg_catalog.pg_prepared_xacts");
        for (const auto& row : found.rows) gids.insert(*row[0]);
        co_await barrier_on(core, shard, "postgres");
    }
    co_return gids;
}

}  // namespace

Task<> sweep_decisions(Core& core) {
    const std::vector<OldDecisions> old = co_await old_decisions(core);
    if (old.empty()) co_return;
    const std::set<std::string> needed = co_await prepared_anywhere(core);
    for (const OldDecisions& place : old) {
        std::string list;
        std::size_t count = 0;
        for (const std::string& gid : place.gids) {
            if (needed.contains(gid)) continue;
            list += (list.empty() ? "" : ",") + planner::quote_literal(gid);
            ++count;
        }
        if (count == 0) continue;
        co_await service_query(core, place.shard, place.database, "DELETE FROM pg_mosaic.decisions WHERE gid IN (" + list + ")");
        spdlog::info("decisions swept {} count={}", log_field("shard", core.map()->shard(place.shard).name), count);
    }
}

}  // namespace pgmosaic::coordinator

#include "coordinator/decision_sweep.h"

#include <algorithm>
#include <iterator>

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

/// A list and a barrier in one statement, so that both are the same server's.
constexpr const char* kPreparedBehindBarrier =
    "SET synchronous_commit = on;SELECT gid FROM pg_catalog.pg_prepared_xacts "
    "UNION ALL SELECT NULL FROM pg_catalog.pg_logical_emit_message(true, 'mosaic', '')";

}  // namespace

Task<std::set<std::string>> prepared_anywhere(Core& core) {
    std::set<std::string> gids;
    for (ShardId shard : core.map()->shard_ids()) {
        const auto found = co_await service_query(core, shard, "postgres", kPreparedBehindBarrier);
        if (found.unreplicated) {
            throw PgError(Error{.code = sqlstate::kCannotConnectNow, .message = "the shard's standby did not acknowledge in time"});
        }
        for (const auto& row : found.rows) {
            if (row[0]) gids.insert(*row[0]);
        }
    }
    co_return gids;
}

std::string delete_decisions_sql(const std::vector<std::string>& gids) {
    std::string list;
    for (const std::string& gid : gids) list += (list.empty() ? "" : ",") + planner::quote_literal(gid);
    return "DELETE FROM pg_mosaic.decisions WHERE gid IN (" + list + ")";
}

Task<> sweep_decisions(Core& core) {
    const std::vector<OldDecisions> old = co_await old_decisions(core);
    if (old.empty()) co_return;
    const std::set<std::string> needed = co_await prepared_anywhere(core);
    for (const OldDecisions& place : old) {
        std::vector<std::string> unneeded;
        std::copy_if(place.gids.begin(), place.gids.end(), std::back_inserter(unneeded),
                     [&](const std::string& gid) { return !needed.contains(gid); });
        if (unneeded.empty()) continue;
        co_await service_query(core, place.shard, place.database, delete_decisions_sql(unneeded));
        spdlog::info("decisions swept {} count={}", log_field("shard", core.map()->shard(place.shard).name), unneeded.size());
    }
}

}  // namespace pgmosaic::coordinator

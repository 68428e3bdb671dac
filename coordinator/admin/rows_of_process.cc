#include "base/settings.h"
#include "coordinator/admin/on_core.h"
#include "coordinator/admin/view_rows.h"

namespace pgmosaic::coordinator {

namespace {

namespace json = boost::json;

std::string_view name_of(planner::Placement placement) {
    switch (placement) {
        case planner::Placement::kLocal: return "local";
        case planner::Placement::kReference: return "reference";
        case planner::Placement::kSharded: return "sharded";
    }
    return "";
}

JsonRows clients_here(Core& core) {
    JsonRows rows;
    for (Session* session : core.sessions()) {
        rows.push_back(json::object{{"id", session->id()}, {"core", core.number()}, {"user_name", session->user()},
                                    {"database", session->database()}, {"application_name", session->application_name()},
                                    {"state", json::string_view(session->state())}, {"pinned_to", session->pinned_to()}});
    }
    return rows;
}

void add_pool(JsonRows& rows, Core& core, backend::Pool& pool, std::string_view kind) {
    for (const shardmap::Shard& shard : core.map()->shards()) {
        std::size_t idle = 0;
        for (const auto& usage : pool.usage()) idle += usage.shard == shard.id ? usage.idle : 0;
        rows.push_back(json::object{{"core", core.number()}, {"shard", shard.name}, {"kind", json::string_view(kind)}, {"idle", idle},
                                    {"in_use", pool.in_use(shard.id)}, {"waiting", pool.waiting(shard.id)},
                                    {"available", pool.endpoint(shard.id).available}});
    }
}

JsonRows pools_here(Core& core) {
    JsonRows rows;
    add_pool(rows, core, core.pool(), "client");
    add_pool(rows, core, core.service_pool(), "service");
    return rows;
}

void add_servers(JsonRows& rows, Core& core, backend::Pool& pool, std::string_view kind) {
    for (const auto& usage : pool.usage()) {
        rows.push_back(json::object{{"core", core.number()}, {"shard", core.map()->shard(usage.shard).name},
                                    {"kind", json::string_view(kind)}, {"database", usage.database}, {"user_name", usage.user}, {"idle", usage.idle}});
    }
}

JsonRows servers_here(Core& core) {
    JsonRows rows;
    add_servers(rows, core, core.pool(), "client");
    add_servers(rows, core, core.service_pool(), "service");
    return rows;
}

JsonRows stats_here(Core& core) {
    std::size_t active = 0;
    for (Session* session : core.sessions()) active += session->state() == "active" ? 1 : 0;
    return {json::object{{"core", core.number()}, {"clients", core.sessions().size()}, {"active", active}}};
}

Task<JsonRows> of_all_cores(Session& session, JsonRows (*here)(Core&)) {
    JsonRows all;
    for (Core* core : session.core().cluster().cores()) {
        const JsonRows rows = co_await on_core(*core, here);
        all.insert(all.end(), rows.begin(), rows.end());
    }
    co_return all;
}

struct KnownError {
    SqlState code;
    const char* situation;
    const char* advice;
};

// CONTRACT, "Errors": what we raise ourselves beside PostgreSQL's own.
const KnownError kErrors[] = {
    {sqlstate::kFeatureNotSupported, "cannot be spread over shards", "Follow the hint; a wrong answer is never given instead."},
    {sqlstate::kSerializationFailure, "rolled back by a failover or a move before COMMIT was sent", "Run the transaction again."},
    {sqlstate::kTransactionResolutionUnknown, "the outcome of COMMIT is not known", "Look for the effect before you run it again."},
    {sqlstate::kCannotConnectNow, "no primary within the waiting time", "Try again."},
    {sqlstate::kAdminShutdown, "the endpoint is shutting down", "Connect again."},
    {sqlstate::kTooManyConnections, "too many clients", "Use fewer connections, or raise listen.max_clients or pool.per_shard."},
    {sqlstate::kConfigurationLimitExceeded, "a configured memory bound was reached", "Ask for less at a time, or raise limits."},
    {sqlstate::kReadOnlySqlTransaction, "write on a read-only session", "Write elsewhere."},
    {sqlstate::kInvalidParameterValue, "bad setting value", "See the message for what is allowed."},
    {sqlstate::kDeadlockDetected, "deadlock, also across shards", "Run the transaction again."},
    {sqlstate::kQueryCanceled, "cancelled or timed out", "It was asked for."},
    {sqlstate::kObjectInUse, "in use by other sessions", "Try again when they have ended."},
    {sqlstate::kProtocolViolation, "broken protocol", "Mend the client."},
    {sqlstate::kInternalError, "our own bug", "Report it."},
};

}  // namespace

Task<JsonRows> table_rows(Session& session) {
    JsonRows rows;
    for (const planner::Table& table : session.environment().catalog->tables()) {
        if (table.kind != 'r' && table.kind != 'p') continue;
        json::object row{{"schema", table.schema}, {"name", table.name}, {"placement", json::string_view(name_of(table.placement))}};
        if (table.placement == planner::Placement::kSharded && table.key >= 0) {
            const planner::Column& key = table.columns[static_cast<std::size_t>(table.key)];
            row["key_column"] = key.name;
            row["key_type"] = key.type_name;
            row["group_id"] = table.group.value;
        }
        rows.push_back(std::move(row));
    }
    co_return rows;
}

Task<JsonRows> bucket_rows(Session& session) {
    JsonRows rows;
    const shardmap::MapPointer map = session.core().cluster().map();
    for (const shardmap::Group& group : map->groups()) {
        if (group.database != session.database()) continue;
        for (const shardmap::BucketRange& range : group.owners->ranges()) {
            rows.push_back(json::object{{"group_id", group.id.value}, {"group_name", group.name}, {"first_bucket", range.first},
                                        {"last_bucket", range.last}, {"shard", map->shard(range.owner).name}});
        }
    }
    co_return rows;
}

Task<JsonRows> client_rows(Session& session) { co_return co_await of_all_cores(session, clients_here); }
Task<JsonRows> pool_rows(Session& session) { co_return co_await of_all_cores(session, pools_here); }
Task<JsonRows> server_rows(Session& session) { co_return co_await of_all_cores(session, servers_here); }
Task<JsonRows> stat_rows(Session& session) { co_return co_await of_all_cores(session, stats_here); }

Task<JsonRows> event_rows(Session& session) {
    JsonRows rows;
    const Cluster& cluster = session.core().cluster();
    if (!cluster.events) co_return rows;
    for (const store::Event& event : cluster.events()) {
        boost::system::error_code failure;
        json::value body = json::parse(event.body, failure);
        rows.push_back(json::object{{"id", event.id}, {"at", event.at}, {"kind", event.kind}, {"body", failure ? json::value(event.body) : body}});
    }
    co_return rows;
}

Task<JsonRows> setting_rows(Session& session) {
    JsonRows rows;
    const auto& shown = session.core().live().settings_shown;
    for (const pgmosaic::Setting& setting : pgmosaic::settings()) {
        if (setting.type == SettingType::kRecords) continue;
        json::object row{{"name", json::string_view(setting.name)}, {"type", json::string_view(type_name(setting.type))},
                         {"unit", json::string_view(setting.unit)}, {"default_value", json::string_view(setting.default_value)},
                         {"reloads", setting.reloads}, {"description", json::string_view(setting.sentence)}};
        const auto value = shown.find(std::string(setting.name));
        if (value != shown.end()) row["value"] = value->second;
        rows.push_back(std::move(row));
    }
    co_return rows;
}

Task<JsonRows> error_rows(Session&) {
    JsonRows rows;
    for (const KnownError& error : kErrors) {
        rows.push_back(json::object{{"sqlstate", json::string_view(error.code.view())}, {"situation", error.situation}, {"advice", error.advice}});
    }
    co_return rows;
}

Task<JsonRows> no_rows(Session&) { co_return JsonRows{}; }

}  // namespace pgmosaic::coordinator

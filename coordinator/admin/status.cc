#include <unistd.h>

#include "coordinator/admin/probe.h"
#include "coordinator/admin/view_rows.h"

namespace pgmosaic::coordinator {

namespace {

namespace json = boost::json;
using shardmap::Node;
using shardmap::Shard;

constexpr Clock::duration kStatusPatience = 800ms;

using Answers = std::map<NodeId, NodeAnswer>;

const NodeAnswer& answer_of(const Answers& answers, NodeId node) {
    static const NodeAnswer kNone;
    const auto found = answers.find(node);
    return found == answers.end() ? kNone : found->second;
}

std::string_view role_of(const Shard& shard, const Node& node, const NodeAnswer& answer) {
    if (node.state == shardmap::NodeState::kRebuilding) return "rebuilding";
    if (node.state == shardmap::NodeState::kFenced) return "fenced";
    if (!answer.answers) return "down";
    return node.id == shard.primary ? "primary" : "standby";
}

bool has_sync_standby(const Shard& shard, const Answers& answers) {
    const auto& standbys = answer_of(answers, shard.primary).standbys;
    for (const Node& node : shard.nodes) {
        const auto found = standbys.find(node.name);
        if (found != standbys.end() && found->second.sync && shard.standby == node.id) return true;
    }
    return false;
}

std::string_view state_of(const Shard& shard, const Answers& answers) {
    if (!shard.serves()) return "failing_over";
    if (!answer_of(answers, shard.primary).answers) return "down";
    const bool safe = shard.standing == shardmap::Standing::kPromotable && has_sync_standby(shard, answers);
    return safe ? "healthy" : "degraded";
}

json::object node_object(const Cluster& cluster, const Shard& shard, const Node& node, const Answers& answers) {
    const NodeAnswer& answer = answer_of(answers, node.id);
    json::object object{{"name", node.name}, {"role", json::string_view(role_of(shard, node, answer))}, {"host", node.host},
                        {"port", node.port}, {"pid", nullptr}, {"data_directory", node.data_directory}, {"timeline", nullptr},
                        {"lsn", nullptr}, {"sync", false}, {"promotable", false}, {"lag_bytes", nullptr}};
    if (cluster.node_pid) {
        if (const auto pid = cluster.node_pid(node.id)) object["pid"] = *pid;
    }
    if (answer.answers) {
        object["timeline"] = answer.timeline;
        object["lsn"] = answer.lsn;
    }
    if (node.id == shard.primary) {
        object["sync"] = has_sync_standby(shard, answers);
        if (answer.answers) object["lag_bytes"] = 0;
        return object;
    }
    const Node* promotable = shard.promotable();
    object["promotable"] = promotable != nullptr && promotable->id == node.id;
    const auto& standbys = answer_of(answers, shard.primary).standbys;
    const auto found = standbys.find(node.name);
    if (found != standbys.end()) {
        object["sync"] = found->second.sync;
        object["lag_bytes"] = found->second.lag_bytes;
    }
    return object;
}

/// How many buckets a shard owns: of the database's first group, of any, or what a new group would give it.
std::size_t buckets_of(const shardmap::ShardMap& map, const std::string& database, ShardId shard) {
    for (const shardmap::Group& group : map.groups()) {
        if (group.database == database) return group.owners->count(shard);
    }
    if (!map.groups().empty()) return map.groups().front().owners->count(shard);
    return shardmap::Ownership::even(map.shard_ids())->count(shard);
}

json::object shard_object(Session& session, const shardmap::ShardMap& map, const Shard& shard, const Answers& answers) {
    json::array nodes;
    for (const Node& node : shard.nodes) nodes.push_back(node_object(session.core().cluster(), shard, node, answers));
    return {{"name", shard.name}, {"state", json::string_view(state_of(shard, answers))}, {"epoch", shard.epoch.value},
            {"buckets", buckets_of(map, session.database(), shard.id)},
            {"size_bytes", answer_of(answers, shard.primary).size_bytes}, {"nodes", std::move(nodes)}};
}

json::value last_failover(const Cluster& cluster) {
    if (!cluster.events) return nullptr;
    json::value last = nullptr;
    for (const store::Event& event : cluster.events()) {
        if (event.kind != "failover") continue;
        boost::system::error_code failure;
        const json::value body = json::parse(event.body, failure);
        json::object object = !failure && body.is_object() ? body.as_object() : json::object{};
        object["at"] = event.at;
        last = std::move(object);
    }
    return last;
}

json::object endpoint_object(const ServerOptions& options) {
    json::object object{{"host", nullptr}, {"port", nullptr}, {"pid", ::getpid()}};
    for (const std::string& address : options.listen) {
        const std::size_t colon = address.rfind(':');
        if (address.starts_with("unix:") || colon == std::string::npos) continue;
        object["host"] = address.substr(0, colon);
        object["port"] = std::atoi(address.c_str() + colon + 1);
        break;
    }
    return object;
}

json::value workbench_object(const ServerOptions& options) {
    if (options.workbench_host.empty()) return nullptr;
    return json::object{{"host", options.workbench_host}, {"port", options.workbench_port},
                        {"pid", options.workbench_pid > 0 ? json::value(options.workbench_pid) : json::value(nullptr)}};
}

std::string_view worst(const json::array& shards) {
    std::string_view state = "healthy";
    for (const json::value& shard : shards) {
        const json::string& each = shard.at("state").as_string();
        if (each == "down" || each == "failing_over") return "down";
        if (each == "degraded") state = "degraded";
    }
    return state;
}

Task<Answers> ask_all(Session& session, shardmap::MapPointer map) {
    co_return co_await probe_nodes(session.core(), std::move(map), Deadline::after(kStatusPatience));
}

}  // namespace

Task<JsonRows> status_rows(Session& session) {
    const Cluster& cluster = session.core().cluster();
    const shardmap::MapPointer map = cluster.map();
    const Answers answers = co_await ask_all(session, map);
    json::array shards;
    for (const Shard& shard : map->shards()) shards.push_back(shard_object(session, *map, shard, answers));
    json::object status{{"schema", "pgmosaic/status/1"}, {"cluster", cluster.options().cluster}, {"state", json::string_view(worst(shards))},
                        {"map_version", map->version().value}, {"endpoint", endpoint_object(cluster.options())},
                        {"shards", std::move(shards)}, {"workbench", workbench_object(cluster.options())},
                        {"jobs", json::array{}}, {"last_failover", last_failover(cluster)}};
    co_return JsonRows{json::object{{"status", std::move(status)}}};
}

Task<JsonRows> shard_rows(Session& session) {
    const shardmap::MapPointer map = session.core().cluster().map();
    const Answers answers = co_await ask_all(session, map);
    JsonRows rows;
    for (const Shard& shard : map->shards()) {
        json::object row = shard_object(session, *map, shard, answers);
        row.erase("nodes");
        row["primary_node"] = shard.primary_node().name;
        const Node* standby = shard.standby ? shard.find_node(*shard.standby) : nullptr;
        row["standby_node"] = standby == nullptr ? json::value(nullptr) : json::value(standby->name);
        row["standing"] = json::string_view(to_string(shard.standing));
        row["failover_step"] = json::string_view(to_string(shard.step));
        rows.push_back(std::move(row));
    }
    co_return rows;
}

Task<JsonRows> node_rows(Session& session) {
    const shardmap::MapPointer map = session.core().cluster().map();
    const Answers answers = co_await ask_all(session, map);
    JsonRows rows;
    for (const Shard& shard : map->shards()) {
        for (const Node& node : shard.nodes) {
            json::object row = node_object(session.core().cluster(), shard, node, answers);
            row["shard"] = shard.name;
            row["state"] = json::string_view(to_string(node.state));
            rows.push_back(std::move(row));
        }
    }
    co_return rows;
}

}  // namespace pgmosaic::coordinator

#include "cli/cluster_file.h"

#include <algorithm>
#include <boost/json.hpp>
#include <random>
#include <set>

namespace pgmosaic::cli {

namespace {

namespace json = boost::json;

constexpr const char* kSchema = "pgmosaic/cluster/1";

Error unreadable(const std::string& why) {
    return Error{.code = sqlstate::kObjectNotInPrerequisiteState, .message = "cannot read cluster.json: " + why};
}

LocalServer server_from(const json::object& object) {
    return LocalServer{.node = NodeId{object.at("node").to_number<std::uint32_t>()},
                       .name = json::value_to<std::string>(object.at("name")),
                       .shard = json::value_to<std::string>(object.at("shard")),
                       .port = object.at("port").to_number<std::uint16_t>()};
}

}  // namespace

std::string random_id() {
    std::random_device source;
    std::string id;
    for (int i = 0; i < 16; ++i) id += "0123456789abcdef"[source() & 15U];
    return id;
}

std::size_t ClusterFile::shard_count() const {
    std::set<std::string> names;
    for (const LocalServer& server : servers) {
        if (!server.shard.empty()) names.insert(server.shard);
    }
    return names.size();
}

bool ClusterFile::has_standbys() const {
    const auto nodes = std::count_if(servers.begin(), servers.end(), [](const LocalServer& s) { return !s.shard.empty(); });
    return static_cast<std::size_t>(nodes) > shard_count();
}

std::string to_json(const ClusterFile& cluster) {
    json::array servers;
    for (const LocalServer& server : cluster.servers) {
        servers.push_back(json::object{{"node", server.node.value}, {"name", server.name}, {"shard", server.shard},
                                       {"port", server.port}});
    }
    const json::object root{{"schema", kSchema}, {"name", cluster.name}, {"id", cluster.id},
                            {"complete", cluster.complete}, {"boot", cluster.boot}, {"servers", servers}};
    return json::serialize(root) + "\n";
}

Result<ClusterFile> cluster_from_json(const std::string& text) {
    try {
        const json::value parsed = json::parse(text);
        const json::object& root = parsed.as_object();
        if (root.at("schema") != kSchema) {
            return unreadable("it was written by another version of pgmosaic (" + json::serialize(root.at("schema")) + ")");
        }
        ClusterFile cluster{.name = json::value_to<std::string>(root.at("name")),
                            .id = json::value_to<std::string>(root.at("id")),
                            .complete = root.at("complete").as_bool(),
                            .boot = json::value_to<std::string>(root.at("boot"))};
        for (const json::value& server : root.at("servers").as_array()) {
            cluster.servers.push_back(server_from(server.as_object()));
        }
        return cluster;
    } catch (const std::exception& failure) {
        return unreadable(failure.what());
    }
}

ClusterFile new_cluster(std::size_t shards, bool standbys) {
    ClusterFile cluster{.id = random_id()};
    std::uint32_t number = 0;
    for (std::size_t shard = 1; shard <= shards; ++shard) {
        const std::string name = "s" + std::to_string(shard);
        cluster.servers.push_back({.node = NodeId{++number}, .name = name + "a", .shard = name});
        if (standbys) cluster.servers.push_back({.node = NodeId{++number}, .name = name + "b", .shard = name});
    }
    cluster.servers.push_back({.name = "workbench"});
    return cluster;
}

node::ServerSpec Layout::server(const LocalServer& server) const {
    return node::ServerSpec{.name = server.name,
                            .directory = nodes() + "/" + server.name,
                            .log_file = logs() + "/" + server.name + ".log",
                            .port = server.port,
                            .socket_directory = has_sockets() ? sockets() : "",
                            .user_settings = user_settings()};
}

}  // namespace pgmosaic::cli

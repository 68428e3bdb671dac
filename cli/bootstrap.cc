#include "cli/bootstrap.h"

#include <charconv>
#include <map>

#include "cli/cluster_file.h"
#include "replication/node/binaries.h"
#include "replication/node/sql.h"

namespace pgmosaic::cli {

namespace {

constexpr auto kAskTimeout = 5s;

struct HostPort {
    std::string host{};
    std::uint16_t port = 0;
};

HostPort split(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    HostPort parts{.host = address.substr(0, colon)};
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), parts.port);
    if (parts.host.front() == '[') parts.host = parts.host.substr(1, parts.host.size() - 2);
    return parts;
}

std::string conninfo_value(const std::string& text) {
    std::string quoted = "'";
    for (char c : text) {
        if (c == '\'' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + "'";
}

/// What a server says of itself.
struct Answer {
    int major = 0;
    bool in_recovery = false;
    std::string system{};
};

Result<Answer> ask(const Config& config, const std::string& address) {
    const Deadline deadline = Deadline::after(kAskTimeout);
    const HostPort place = split(address);
    const std::string conninfo = "host=" + conninfo_value(place.host) + " port=" + std::to_string(place.port) +
                                 " dbname=postgres user=" + conninfo_value(config.servers_user) +
                                 " password=" + conninfo_value(config.servers_password) + " sslmode=" + config.tls_servers +
                                 (config.tls_servers_ca.empty() ? "" : " sslrootcert=" + conninfo_value(config.tls_servers_ca)) +
                                 " gssencmode=disable application_name=pgmosaic";
    Result<node::Sql> sql = node::Sql::connect(conninfo, deadline);
    if (!sql) return sql.error();
    const Result<node::SqlRows> rows = sql->run(
        "SELECT current_setting('server_version_num')::int / 10000, pg_is_in_recovery(), system_identifier"
        " FROM pg_control_system()", deadline);
    if (!rows) return rows.error();
    const auto& row = rows->rows.at(0);
    return Answer{.major = std::atoi(row[0].value_or("").c_str()), .in_recovery = row[1] == "t", .system = row[2].value_or("")};
}

/// Empty: this server is what the file says.
std::string fault_of(const Config& config, const std::string& address, const std::string& role, std::string* system) {
    const Result<Answer> answer = ask(config, address);
    const std::string who = role + " " + address;
    if (!answer) return who + ": " + answer.error().message;
    if (answer->major != node::kPostgresMajor) {
        return who + " is PostgreSQL " + std::to_string(answer->major) + ", not " + std::to_string(node::kPostgresMajor);
    }
    const bool should_recover = role.starts_with("standby");
    if (answer->in_recovery != should_recover) {
        return who + (answer->in_recovery ? " is in recovery: name the shard's primary first" : " is not a standby");
    }
    if (should_recover && system != nullptr && !system->empty() && *system != answer->system) {
        return who + " is a standby of another server";
    }
    if (system != nullptr) *system = answer->system;
    return "";
}

}  // namespace

std::vector<std::string> server_faults(const Config& config) {
    std::vector<std::string> faults;
    const auto keep = [&faults](std::string fault) {
        if (!fault.empty()) faults.push_back(std::move(fault));
    };
    for (const ShardBootstrap& shard : config.shards) {
        std::string system;
        for (std::size_t i = 0; i < shard.nodes.size(); ++i) {
            keep(fault_of(config, shard.nodes[i], (i == 0 ? "primary of shard \"" : "standby of shard \"") + shard.name + "\"", &system));
        }
    }
    if (!config.workbench.empty()) keep(fault_of(config, config.workbench, "workbench", nullptr));
    return faults;
}

Result<shardmap::MapPointer> bootstrap_map(const Config& config) {
    if (config.shards.empty()) {
        return Error{.code = sqlstate::kConfigFileError, .message = "the store \"" + config.store_path + "\" is new, and the configuration names no shards",
                     .hint = "Write them under shards: - { name: s1, nodes: [\"10.0.1.11:5432\"] }."};
    }
    if (const std::vector<std::string> faults = server_faults(config); !faults.empty()) {
        return Error{.code = sqlstate::kConfigFileError, .message = faults.front(),
                     .hint = "`pgmosaic check --online` names all that is wrong."};
    }
    std::vector<shardmap::Shard> shards;
    std::uint32_t number = 0;
    for (const ShardBootstrap& from : config.shards) {
        shardmap::Shard shard{.id = ShardId{static_cast<std::uint16_t>(shards.size())}, .name = from.name};
        for (std::size_t i = 0; i < from.nodes.size(); ++i) {
            const HostPort place = split(from.nodes[i]);
            shard.nodes.push_back({.id = NodeId{++number}, .name = from.name + static_cast<char>('a' + i),
                                   .host = place.host, .port = place.port});
        }
        shard.primary = shard.nodes.front().id;
        shards.push_back(std::move(shard));
    }
    const shardmap::Cluster head{.name = config.cluster, .id = random_id(), .next_node = NodeId{number + 1}};
    return shardmap::ShardMap::make(MapVersion{1}, head, std::move(shards), {});
}

}  // namespace pgmosaic::cli

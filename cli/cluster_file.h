#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "replication/node/server_spec.h"

namespace pgmosaic::cli {

/// A server that `up` made.
struct LocalServer {
    NodeId node{};        ///< 0: the workbench
    std::string name{};   ///< "s1a"
    std::string shard{};  ///< "s1"; empty: the workbench
    std::uint16_t port = 0;

    friend bool operator==(const LocalServer&, const LocalServer&) = default;
};

/// `cluster.json`: what was decided once, when the directory was made. Who is primary is the store's business.
struct ClusterFile {
    std::string name = "app";
    std::string id{};  ///< random; the store's cluster has the same
    bool complete = false;  ///< every server was made, and has reached the disk
    std::string boot{};     ///< boot of the machine in which it was begun
    std::vector<LocalServer> servers{};

    std::size_t shard_count() const;
    bool has_standbys() const;

    friend bool operator==(const ClusterFile&, const ClusterFile&) = default;
};

/// 16 hexadecimal digits.
std::string random_id();
std::string to_json(const ClusterFile& cluster);
/// Errors: 55000 if it is something else, or of a newer version.
Result<ClusterFile> cluster_from_json(const std::string& text);

/// Names and numbers of a new cluster; ports are chosen by the caller.
ClusterFile new_cluster(std::size_t shards, bool standbys);

/// Where things are under DIR.
struct Layout {
    std::string root{};  ///< absolute

    std::string cluster_file() const { return root + "/cluster.json"; }
    std::string config_file() const { return root + "/pgmosaic.yaml"; }
    std::string pid_file() const { return root + "/pgmosaic.pid"; }
    std::string store_directory() const { return root + "/state"; }
    std::string store_file() const { return root + "/state/map.db"; }
    std::string nodes() const { return root + "/nodes"; }
    std::string logs() const { return root + "/log"; }
    std::string log_file() const { return root + "/log/pgmosaic.log"; }
    std::string sockets() const { return root + "/sockets"; }
    std::string user_settings() const { return root + "/servers.conf"; }
    /// sun_path holds 108 bytes; a deeper DIR is reached through TCP only.
    bool has_sockets() const { return sockets().size() < 90; }

    node::ServerSpec server(const LocalServer& server) const;
};

}  // namespace pgmosaic::cli

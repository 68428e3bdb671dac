#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/cluster_file.h"
#include "replication/node/binaries.h"
#include "replication/node/children.h"
#include "replication/node/server.h"
#include "shardmap/shard_map.h"

namespace pgmosaic::cli {

/// One line for people about what is going on.
using Progress = std::function<void(const std::string& line)>;

/// Makes and starts the servers of a directory.
///
/// Every step looks first whether it is done, so that a run that was killed anywhere is finished by the next one.
/// Core      none: blocks; works on threads of its own, and calls `progress` from them, one at a time
/// Lifetime  servers go on when it ends
/// Cancel    by `stopping`: between two steps, with 57P01
/// Errors    the servers', naming the server
class Provision {
   public:
    Provision(Layout layout, ClusterFile cluster, const node::Binaries& binaries, node::Children& children,
              const std::atomic<bool>& stopping, Progress progress);

    /// All servers of a new cluster, running, with the database `app`, standbys synchronous, flushed to the disk.
    Result<void> make();
    /// Servers of a complete cluster. Those that the map calls primary, and their standbys; a former primary stays
    /// down until failover has made it a standby. Errors: a primary that does not start and has no promotable standby.
    Result<void> start(const shardmap::ShardMap& map);
    /// Primaries first, so that their standbys get everything.
    Result<void> stop(const shardmap::ShardMap* map);

    node::Server& server(const std::string& name) { return *servers_.at(name); }

   private:
    using Job = std::function<Result<void>()>;
    Result<void> make_shard(const LocalServer& primary, const LocalServer* standby);
    Result<void> make_workbench(const LocalServer& workbench);
    Result<void> make_primary(node::Server& primary);
    Result<void> make_standby(node::Server& standby, node::Server& primary, Deadline deadline);
    Result<void> finish_shard(node::Server& primary, node::Server& standby, Deadline deadline);
    Result<void> start_node(const shardmap::Shard& shard, const shardmap::Node& node);
    Result<void> run_jobs(std::vector<Job> jobs, std::size_t threads);
    Result<void> check_stopping() const;
    void say(const std::string& line);

    const Layout layout_;
    const ClusterFile cluster_;
    const std::atomic<bool>& stopping_;
    const Progress progress_;
    std::mutex say_mutex_;
    std::map<std::string, std::unique_ptr<node::Server>> servers_;
};

/// The map that a new cluster begins with: no tables, standbys named but not yet proved.
Result<shardmap::MapPointer> first_map(const Layout& layout, const ClusterFile& cluster);

}  // namespace pgmosaic::cli

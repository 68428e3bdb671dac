#pragma once

#include "coordinator/cluster.h"
#include "coordinator/decision.h"
#include "replication/resolver.h"

namespace pgmosaic::coordinator {

/// Finishes on a new primary what is decided, before the map routes to it: nobody then reads half of a transaction there
/// (PROTOCOLS 2.4). A decision shard that has lost its primary, too, is asked through its standby: the commit may have been
/// acknowledged to its client. What has no verdict yet, or one that no server can tell, is left to recovery.
///
/// Core      the supervisor's; opens sessions of its own, since the pools do not know the new primary yet
class TakeoverResolver : public replication::Resolver {
   public:
    explicit TakeoverResolver(Cluster& cluster) : cluster_(cluster) {}
    Task<Result<void>> resolve(ShardId shard, shardmap::Node primary, Deadline deadline) override;

   private:
    Task<bool> decided_yes(ShardId shard, shardmap::Node primary, std::string gid, std::string database, Deadline deadline);
    Task<Verdict> ask(shardmap::Node node, std::string gid, std::string database, Deadline deadline);
    Cluster& cluster_;
};

}  // namespace pgmosaic::coordinator

#pragma once

#include <memory>

#include "coordinator/cluster.h"
#include "replication/node/node_control.h"
#include "shardmap/store/store.h"

namespace pgmosaic::coordinator {

/// The supervisor of the shards on a thread of its own, so that a busy core delays no failover; publishes its maps to the
/// cluster and gives the cluster its hooks (new groups, failover by hand, events).
class Supervision {
   public:
    Supervision(Cluster& cluster, std::shared_ptr<store::Store> store, node::NodeControl* nodes);
    ~Supervision();
    /// Errors: the store's.
    Result<void> start();
    void stop();

   private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace pgmosaic::coordinator

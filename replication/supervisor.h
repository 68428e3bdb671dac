#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/server_address.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/task.h"
#include "replication/failover.h"
#include "replication/map_publisher.h"
#include "replication/node/node_control.h"
#include "replication/resolver.h"
#include "replication/shard_status.h"
#include "shardmap/store/store.h"

namespace pgmosaic::replication {

struct SupervisorOptions {
    FailoverPolicy policy{};
    Clock::duration probe_interval = 200ms;
    /// As whom to log in to a server, in database `postgres`; a superuser.
    std::function<backend::ServerAddress(const shardmap::Node&)> address_of{};
};

/// Who the supervisor works with. All outlive it; `nodes` may be null: servers are then not started or rebuilt from here.
struct SupervisorPartners {
    store::Store* store = nullptr;
    node::NodeControl* nodes = nullptr;
    MapPublisher* publisher = nullptr;
    Resolver* resolver = nullptr;
};

/// Keeps each shard's primary writable and its standby promotable: one coroutine per shard looks at its servers and carries out
/// what `next` decides. Shards do not wait for each other, and no step of a failover waits for the failed server.
///
/// Core      the given executor, which serves one thread; status(), failover() and switchover() from any
/// Lifetime  start(), then stop() and join() before it is destroyed; it outlives calls to failover() and switchover()
/// Errors    start(): the store's. A failing step is logged, shown in status() and tried again
/// Cancel    stop() ends between two messages to a server; another supervisor goes on from the recorded step
class Supervisor {
   public:
    Supervisor(asio::any_io_executor executor, SupervisorPartners partners, SupervisorOptions options);
    ~Supervisor();
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    /// Reads the map and begins. Until a shard's primary has acknowledged a commit it is published as not available.
    Result<void> start();
    void stop();
    Task<> join();

    /// Lets the standby take over, whether the primary answers or not. Returns when the map is published.
    /// Errors: 42704 no such shard, 55000 its standby may not be promoted, 57P03 not done by the deadline (it goes on).
    Task<Result<void>> failover(ShardId shard, Deadline deadline);
    /// The same after the primary has ended in order: nothing that it acknowledged is in doubt.
    /// 0A000 if the primary cannot be stopped from here.
    Task<Result<void>> switchover(ShardId shard, Deadline deadline);

    /// Makes a node that is not the primary a standby anew, whatever it holds: commits go on without it first. Returns when it
    /// streams again. Errors: 42704 no such node, 55000 it is the primary, or a failover is under way; 0A000 not on this
    /// machine; 57014 not done by the deadline (it goes on).
    Task<Result<void>> rebuild(std::string node, Deadline deadline);
    /// Takes a standby out of its shard and stops it; its directory stays. Errors: as rebuild().
    Task<Result<void>> remove_standby(std::string node, Deadline deadline);
    /// Gives a shard back the standby that was taken from it. Errors: as rebuild(); 42710 it has one, 0A000 none is known.
    Task<Result<void>> add_standby(std::string shard, Deadline deadline);

    /// Without it only failovers by hand happen.
    void set_automatic(bool automatic);

    std::vector<ShardStatus> status() const;

   private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace pgmosaic::replication

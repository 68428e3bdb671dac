#pragma once

#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "replication/node/node_control.h"
#include "replication/node/server.h"

namespace pgmosaic::node {

/// The servers of a cluster that `pgmosaic up` has made, driven directly.
///
/// Core      any: work runs on threads of its own, answers come back to the caller's executor
/// Lifetime  outlives its coroutines; the destructor waits for work that has begun
/// Errors    NodeControl's
class LocalNodes : public NodeControl {
   public:
    LocalNodes(const std::map<NodeId, ServerSpec>& servers, const Binaries& binaries, Children& children);
    ~LocalNodes() override;

    bool is_local(NodeId node) const override;
    Process process(NodeId node) const override;
    std::optional<pid_t> pid(NodeId node) const override;
    std::vector<KnownServer> known() const override;
    Task<Result<void>> start(NodeId node, Deadline deadline) override;
    Task<Result<void>> stop(NodeId node, StopMode mode, Deadline deadline) override;
    Task<Result<void>> rebuild_as_standby(NodeId broken, NodeId primary, Deadline deadline) override;

   private:
    struct Entry {
        std::unique_ptr<Server> server{};
        std::timed_mutex turn{};  ///< one action per node at a time
    };
    Entry* find(NodeId node) const;
    Result<void> rebuild(Server& broken, const ServerSpec& primary, Deadline deadline);

    std::map<NodeId, std::unique_ptr<Entry>> nodes_;
    asio::thread_pool threads_;
};

}  // namespace pgmosaic::node

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "replication/failover.h"

namespace pgmosaic::replication {

/// A server as it was seen last.
struct NodeStatus {
    NodeId id{};
    std::string name{};
    std::string role{};            ///< primary, standby, fenced, rebuilding or down
    Health health = Health::kUnknown;
    int pid = 0;                   ///< 0: not known
    std::uint32_t timeline = 0;
    Lsn lsn{};                     ///< a primary's flushed, a standby's replayed position
    std::uint64_t lag_bytes = 0;   ///< what a standby has not yet flushed of the primary's
    bool sync = false;             ///< a primary: its standby is in sync; a standby: commits wait for it
    bool promotable = false;
};

/// A shard as `status` shows it.
struct ShardStatus {
    ShardId id{};
    std::string name{};
    std::string state{};           ///< healthy, degraded, failing_over or down
    Epoch epoch{};
    Action action = Action::kWait; ///< what was done last
    std::string trouble{};         ///< why the last step failed; empty if it did not
    std::vector<NodeStatus> nodes{};
};

}  // namespace pgmosaic::replication

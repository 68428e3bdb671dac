#pragma once

#include <map>
#include <optional>
#include <string>

#include "coordinator/core.h"

namespace pgmosaic::coordinator {

/// What a server says of itself when it is asked.
struct NodeAnswer {
    bool answers = false;
    bool in_recovery = false;
    std::string lsn{};  ///< written, or replayed on a standby
    int timeline = 0;
    std::int64_t size_bytes = 0;
    struct Standby {
        bool sync = false;
        std::int64_t lag_bytes = 0;
    };
    std::map<std::string, Standby> standbys{};  ///< of a primary, by application_name, which is the node's name
};

/// Asks all servers of a map side by side, on connections of their own, and waits no longer than the deadline: a dead server
/// only has no answer.
Task<std::map<NodeId, NodeAnswer>> probe_nodes(Core& core, shardmap::MapPointer map, Deadline deadline);

}  // namespace pgmosaic::coordinator

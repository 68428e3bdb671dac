#pragma once

#include "shardmap/shard_map.h"

namespace pgmosaic::replication {

/// Who routes by the map. Implemented by the coordinator; called on the supervisor's core, must not wait.
class MapPublisher {
   public:
    virtual ~MapPublisher() = default;
    /// A newer version. A shard whose `serves()` is false has no primary at the moment: statements for it wait.
    virtual void publish(shardmap::MapPointer map) = 0;
    /// The primary of this shard may (or may not) be given statements: false from the moment its sessions are lost until an own
    /// commit on it has been acknowledged (PROTOCOLS 1.1), and while it is known to be away. The map does not change.
    virtual void set_available(ShardId shard, bool available) = 0;
    /// The primary of this epoch has flushed its WAL up to here.
    virtual void note_position(ShardId, Epoch, Lsn) {}
};

}  // namespace pgmosaic::replication

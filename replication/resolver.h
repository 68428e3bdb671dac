#pragma once

#include "base/deadline.h"
#include "base/error.h"
#include "base/task.h"
#include "shardmap/shard.h"

namespace pgmosaic::replication {

/// Who knows the transactions in flight. Implemented by the coordinator; runs on the supervisor's core.
class Resolver {
   public:
    virtual ~Resolver() = default;
    /// Called after each promotion, before the map is published: reads pg_prepared_xacts of the new primary and finishes what is
    /// decided (PROTOCOLS 2.4). An error is tried again; until it succeeds the shard does not serve.
    virtual Task<Result<void>> resolve(ShardId shard, shardmap::Node primary, Deadline deadline) = 0;
};

}  // namespace pgmosaic::replication

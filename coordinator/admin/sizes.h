#pragma once

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// The functions of schema pg_mosaic that stand for pg_total_relation_size(), reltuples, … (planner/internal/spread_sizes.h).
extern const char* const kSizeSchema;

/// `WITH RECURSIVE tree(oid) …`: the sharded tables of a shard, and their partitions.
extern const char* const kShardedTree;

/// What the other shards hold of the database and its sharded tables, their partitions and indexes: a JSON object from the qualified name
/// to bytes, pages and rows, and from `/` to the bytes of all databases of that name. Throws what a shard says.
Task<std::string> sizes_elsewhere(Session& session);

}  // namespace pgmosaic::coordinator

#pragma once

#include <string_view>

#include "base/error.h"
#include "shardmap/shard_map.h"
#include "shardmap/store/store.h"

namespace pgmosaic::store {

/// The shard map as records of a store: one for the cluster, one per shard (epoch, primary, standing and failover step together,
/// PROTOCOLS 3.6), one per group. The map's version is the store's revision when the records were read.
///
/// Core    as Store: blocking, short
/// Errors  as Store; 55000 if there is no map yet, or already one; XX000 if records do not make a map

/// True if the store holds a map.
Result<bool> has_map(Store& store);
/// The newest version.
Result<shardmap::MapPointer> load_map(Store& store);
/// Writes a first map into a store that has none; returns it as loaded.
Result<shardmap::MapPointer> create_map(Store& store, const shardmap::ShardMap& first, std::string_view reason);

/// Each of these compares the revision that the record had when it was loaded: 40001 if somebody was faster.
Result<shardmap::Revision> save_shard(Store& store, const shardmap::Shard& shard, std::string_view reason);
/// A group with revision 0 is new: it gets `cluster.next_group`, which is raised in the same change; see its `id` in the result.
Result<shardmap::Group> save_group(Store& store, const shardmap::Cluster& cluster, shardmap::Group group, std::string_view reason);
Result<void> remove_group(Store& store, const shardmap::Group& group, std::string_view reason);
/// All groups of a database that is dropped, at once.
Result<void> remove_groups(Store& store, const shardmap::ShardMap& map, std::string_view database, std::string_view reason);

/// One shard's record as it is now.
Result<shardmap::Shard> load_shard(Store& store, ShardId id);

}  // namespace pgmosaic::store

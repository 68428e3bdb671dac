#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "shardmap/shard_map.h"

namespace pgmosaic::shardmap {

/// Records as they are kept in the store, one JSON document each; revisions are the store's and not part of them.
///
/// Errors  XX000 with the member that is missing or not of its type; unknown members are passed over, so that an older
///         program reads what a newer one wrote with additions
std::string to_json(const Cluster& cluster);
std::string to_json(const Shard& shard);
std::string to_json(const Group& group);
Result<Cluster> cluster_from_json(std::string_view text);
Result<Shard> shard_from_json(std::string_view text);
Result<Group> group_from_json(std::string_view text);

/// A whole version: `{"version", "cluster", "shards", "groups"}`.
std::string to_json(const ShardMap& map);
Result<MapPointer> map_from_json(std::string_view text);

}  // namespace pgmosaic::shardmap

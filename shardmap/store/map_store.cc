#include "shardmap/store/map_store.h"

#include <algorithm>

#include "shardmap/map_json.h"

namespace pgmosaic::store {

using shardmap::Cluster;
using shardmap::Group;
using shardmap::MapPointer;
using shardmap::Shard;
using shardmap::ShardMap;

namespace {

constexpr std::string_view kPrefix = "map/";
constexpr const char* kClusterKey = "map/cluster";
constexpr std::string_view kShardPrefix = "map/shard/";
constexpr std::string_view kGroupPrefix = "map/group/";

template <class Id>
std::string key_of(std::string_view prefix, Id id) {
    return std::string(prefix) + std::to_string(id.value);
}

Error not_ready(std::string message, std::string hint = {}) {
    return Error{.code = sqlstate::kObjectNotInPrerequisiteState, .message = std::move(message), .hint = std::move(hint)};
}

/// Records read so far.
struct Parts {
    std::optional<Cluster> cluster{};
    std::vector<Shard> shards{};
    std::vector<Group> groups{};
};

template <class T>
Result<T> with_revision(Result<T> record, const Entry& entry) {
    if (record) {
        record->revision = entry.revision;
        return record;
    }
    Error error = record.error();
    error.context = "record \"" + entry.key + "\"";
    return error;
}

Result<void> add_entry(Parts& parts, const Entry& entry) {
    if (entry.key == kClusterKey) {
        auto cluster = with_revision(shardmap::cluster_from_json(entry.value), entry);
        if (!cluster) return cluster.error();
        parts.cluster = std::move(*cluster);
    } else if (entry.key.starts_with(kShardPrefix)) {
        auto shard = with_revision(shardmap::shard_from_json(entry.value), entry);
        if (!shard) return shard.error();
        parts.shards.push_back(std::move(*shard));
    } else if (entry.key.starts_with(kGroupPrefix)) {
        auto group = with_revision(shardmap::group_from_json(entry.value), entry);
        if (!group) return group.error();
        parts.groups.push_back(std::move(*group));
    }
    return {};
}

}  // namespace

Result<bool> has_map(Store& store) {
    auto cluster = store.get(kClusterKey);
    if (!cluster) return cluster.error();
    return cluster->has_value();
}

Result<MapPointer> load_map(Store& store) {
    auto listing = store.list(kPrefix);
    if (!listing) return listing.error();
    Parts parts;
    for (const Entry& entry : listing->entries) {
        if (auto added = add_entry(parts, entry); !added) return added.error();
    }
    if (!parts.cluster) return not_ready("the store holds no shard map");
    // Keys are in the order of their text: "10" before "2".
    std::sort(parts.shards.begin(), parts.shards.end(), [](const Shard& left, const Shard& right) { return left.id < right.id; });
    return ShardMap::make(MapVersion{listing->at.value}, std::move(*parts.cluster), std::move(parts.shards),
                          std::move(parts.groups));
}

Result<MapPointer> create_map(Store& store, const ShardMap& first, std::string_view reason) {
    std::vector<Write> writes{{kClusterKey, {}, to_json(first.cluster())}};
    for (const Shard& shard : first.shards()) writes.push_back({key_of(kShardPrefix, shard.id), {}, to_json(shard)});
    for (const Group& group : first.groups()) writes.push_back({key_of(kGroupPrefix, group.id), {}, to_json(group)});
    auto written = store.apply(writes, reason);
    if (!written && is_conflict(written.error())) return not_ready("the store holds a shard map already");
    if (!written) return written.error();
    return load_map(store);
}

Result<shardmap::Revision> save_shard(Store& store, const Shard& shard, std::string_view reason) {
    if (std::string fault = shardmap::fault_of(shard); !fault.empty()) {
        return Error{.message = "shard map is not valid: " + std::move(fault)};
    }
    return store.compare_and_set(key_of(kShardPrefix, shard.id), shard.revision, to_json(shard), reason);
}

Result<Group> save_group(Store& store, const Cluster& cluster, Group group, std::string_view reason) {
    std::vector<Write> writes;
    if (group.revision == Revision{}) {
        Cluster next = cluster;
        group.id = GroupId{next.next_group.value++};
        writes.push_back({kClusterKey, cluster.revision, to_json(next)});
    }
    writes.push_back({key_of(kGroupPrefix, group.id), group.revision, to_json(group)});
    auto written = store.apply(writes, reason);
    if (!written) return written.error();
    group.revision = *written;
    return group;
}

Result<void> remove_group(Store& store, const Group& group, std::string_view reason) {
    auto removed = store.compare_and_remove(key_of(kGroupPrefix, group.id), group.revision, reason);
    if (!removed) return removed.error();
    return {};
}

Result<void> remove_groups(Store& store, const ShardMap& map, std::string_view database, std::string_view reason) {
    std::vector<Write> writes;
    for (const Group& group : map.groups()) {
        if (group.database == database) writes.push_back({key_of(kGroupPrefix, group.id), group.revision, std::nullopt});
    }
    if (writes.empty()) return {};
    auto removed = store.apply(writes, reason);
    if (!removed) return removed.error();
    return {};
}

Result<Shard> load_shard(Store& store, ShardId id) {
    auto entry = store.get(key_of(kShardPrefix, id));
    if (!entry) return entry.error();
    if (!entry->has_value()) return not_ready("the store holds no shard number " + std::to_string(id.value));
    return with_revision(shardmap::shard_from_json((*entry)->value), **entry);
}

}  // namespace pgmosaic::store

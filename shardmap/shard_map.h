#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "shardmap/ownership.h"
#include "shardmap/shard.h"

namespace pgmosaic::shardmap {

/// What is said once for the whole cluster.
struct Cluster {
    std::string name{};
    std::string id{};          ///< random, made once: gids and stores of another cluster are recognised by it
    ShardId home{};            ///< local tables, sequences, and everything about pg_catalog
    NodeId next_node{1};       ///< numbers of nodes are never used twice
    GroupId next_group{1};
    Revision revision{};       ///< not part of the record's text

    friend bool operator==(const Cluster&, const Cluster&) = default;
};

/// Tables of one database whose rows lie together: same key family, same owners of buckets.
struct Group {
    GroupId id{};
    std::string database{};
    std::string name{};        ///< for people: the first table's
    Oid key_type = 0;          ///< colocated tables have a key of the same family (key_family)
    std::shared_ptr<const Ownership> owners{};
    Revision revision{};       ///< not part of the record's text
};

class ShardMap;
using MapPointer = std::shared_ptr<const ShardMap>;

/// Which shard owns which key, and where the shards are: one numbered version, never changed after it was made.
///
/// Core      any; readers share it
/// Errors    the builders: XX000 with the first thing that does not fit (bucket owned twice, unknown shard, name used twice …)
class ShardMap {
   public:
    /// `shards[i].id` must be i.
    static Result<MapPointer> make(MapVersion version, Cluster cluster, std::vector<Shard> shards, std::vector<Group> groups);

    MapVersion version() const { return version_; }
    const Cluster& cluster() const { return cluster_; }
    ShardId home() const { return cluster_.home; }

    const std::vector<Shard>& shards() const { return shards_; }
    const Shard& shard(ShardId id) const { return shards_[id.value]; }
    const Shard* find_shard(std::string_view name) const;
    std::vector<ShardId> shard_ids() const;
    const Node* find_node(NodeId id) const;
    const Node* find_node(std::string_view name) const;
    /// The shard that a node belongs to.
    const Shard* shard_of(NodeId id) const;

    const std::vector<Group>& groups() const { return groups_; }
    const Group* find_group(GroupId id) const;
    /// The first group of a database with a key of this family: what `colocate_with => 'default'` joins.
    const Group* find_group(std::string_view database, KeyFamily family) const;
    /// Who owns the buckets of a group; null if this version has no such group (its last table was dropped meanwhile).
    const Ownership* owners(GroupId group) const {
        return group.value < by_id_.size() ? by_id_[group.value].get() : nullptr;
    }
    /// The owner of a bucket; the group must be one of this version.
    ShardId owner(GroupId group, Bucket bucket) const {
        const Ownership* known = owners(group);
        PGM_CHECK(known != nullptr, "a bucket is looked up in a group of this map version");
        return known->owner(bucket);
    }

    /// The next version, with one thing changed. A shard or group of the same id is replaced.
    Result<MapPointer> with_shard(Shard shard) const;
    Result<MapPointer> with_primary(ShardId shard, NodeId primary, Epoch epoch) const;
    Result<MapPointer> with_group(Group group) const;
    Result<MapPointer> without_group(GroupId group) const;
    Result<MapPointer> with_owner(GroupId group, BucketRange range) const;

   private:
    ShardMap() = default;
    Result<MapPointer> next(std::vector<Shard> shards, std::vector<Group> groups) const;

    MapVersion version_{};
    Cluster cluster_;
    std::vector<Shard> shards_;
    std::vector<Group> groups_;                               ///< by id
    std::vector<std::shared_ptr<const Ownership>> by_id_;     ///< [GroupId]; null where there is no such group
};

}  // namespace pgmosaic::shardmap

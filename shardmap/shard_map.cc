#include "shardmap/shard_map.h"

#include <algorithm>
#include <set>

namespace pgmosaic::shardmap {

namespace {

// Group numbers index an array: far beyond what a cluster makes, and small enough to allocate.
constexpr std::uint32_t kGroupIdMax = 1'000'000;

std::string fault_of_shards(const std::vector<Shard>& shards) {
    if (shards.empty()) return "the cluster has no shards";
    std::set<std::string> names;
    std::set<NodeId> ids;
    for (std::size_t i = 0; i < shards.size(); ++i) {
        const Shard& shard = shards[i];
        if (shard.id.value != i) return "shard \"" + shard.name + "\" is not number " + std::to_string(i);
        if (std::string fault = fault_of(shard); !fault.empty()) return fault;
        if (!names.insert(shard.name).second) return "name \"" + shard.name + "\" is used twice";
        for (const Node& node : shard.nodes) {
            if (!names.insert(node.name).second) return "name \"" + node.name + "\" is used twice";
            if (!ids.insert(node.id).second) return "node number " + std::to_string(node.id.value) + " is used twice";
        }
    }
    return {};
}

std::string fault_of_group(const Group& group, std::size_t shard_count) {
    const std::string label = "group " + std::to_string(group.id.value);
    if (group.id.value == 0 || group.id.value > kGroupIdMax) return label + " is out of range";
    if (!key_family(group.key_type)) return label + " has a key of type " + std::to_string(group.key_type);
    if (!group.owners) return label + " has no owners";
    for (const BucketRange& range : group.owners->ranges()) {
        if (range.owner.value >= shard_count) return label + " names shard " + std::to_string(range.owner.value);
    }
    return {};
}

Error invalid(std::string fault) { return Error{.message = "shard map is not valid: " + std::move(fault)}; }

// Groups spread alike share one flat array.
void share_owners(std::vector<Group>& groups) {
    for (std::size_t i = 1; i < groups.size(); ++i) {
        const auto twin = std::find_if(groups.begin(), groups.begin() + static_cast<std::ptrdiff_t>(i), [&](const Group& each) {
            return each.owners->ranges() == groups[i].owners->ranges();
        });
        groups[i].owners = twin->owners;
    }
}

}  // namespace

Result<MapPointer> ShardMap::make(MapVersion version, Cluster cluster, std::vector<Shard> shards, std::vector<Group> groups) {
    if (std::string fault = fault_of_shards(shards); !fault.empty()) return invalid(std::move(fault));
    if (cluster.home.value >= shards.size()) return invalid("the home shard does not exist");
    std::sort(groups.begin(), groups.end(), [](const Group& left, const Group& right) { return left.id < right.id; });
    for (const Group& group : groups) {
        if (std::string fault = fault_of_group(group, shards.size()); !fault.empty()) return invalid(std::move(fault));
    }
    share_owners(groups);
    std::shared_ptr<ShardMap> map(new ShardMap);
    map->by_id_.resize(groups.empty() ? 1 : groups.back().id.value + 1);
    for (const Group& group : groups) {
        auto& slot = map->by_id_[group.id.value];
        if (slot) return invalid("group " + std::to_string(group.id.value) + " is listed twice");
        slot = group.owners;
    }
    map->version_ = version;
    map->cluster_ = std::move(cluster);
    map->shards_ = std::move(shards);
    map->groups_ = std::move(groups);
    return MapPointer(std::move(map));
}

const Shard* ShardMap::find_shard(std::string_view name) const {
    const auto found = std::find_if(shards_.begin(), shards_.end(), [&](const Shard& shard) { return shard.name == name; });
    return found == shards_.end() ? nullptr : &*found;
}

std::vector<ShardId> ShardMap::shard_ids() const {
    std::vector<ShardId> ids;
    for (const Shard& shard : shards_) ids.push_back(shard.id);
    return ids;
}

const Node* ShardMap::find_node(NodeId id) const {
    const Shard* shard = shard_of(id);
    return shard == nullptr ? nullptr : shard->find_node(id);
}

const Node* ShardMap::find_node(std::string_view name) const {
    for (const Shard& shard : shards_) {
        for (const Node& node : shard.nodes) {
            if (node.name == name) return &node;
        }
    }
    return nullptr;
}

const Shard* ShardMap::shard_of(NodeId id) const {
    const auto found = std::find_if(shards_.begin(), shards_.end(),
                                    [&](const Shard& shard) { return shard.find_node(id) != nullptr; });
    return found == shards_.end() ? nullptr : &*found;
}

const Group* ShardMap::find_group(GroupId id) const {
    const auto found = std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) { return group.id == id; });
    return found == groups_.end() ? nullptr : &*found;
}

const Group* ShardMap::find_group(std::string_view database, KeyFamily family) const {
    const auto found = std::find_if(groups_.begin(), groups_.end(), [&](const Group& group) {
        return group.database == database && key_family(group.key_type) == family;
    });
    return found == groups_.end() ? nullptr : &*found;
}

Result<MapPointer> ShardMap::next(std::vector<Shard> shards, std::vector<Group> groups) const {
    return make(MapVersion{version_.value + 1}, cluster_, std::move(shards), std::move(groups));
}

Result<MapPointer> ShardMap::with_shard(Shard shard) const {
    std::vector<Shard> shards = shards_;
    if (shard.id.value < shards.size()) {
        shards[shard.id.value] = std::move(shard);
    } else {
        shards.push_back(std::move(shard));
    }
    return next(std::move(shards), groups_);
}

Result<MapPointer> ShardMap::with_primary(ShardId id, NodeId primary, Epoch epoch) const {
    if (id.value >= shards_.size()) return invalid("shard " + std::to_string(id.value) + " does not exist");
    Shard changed = shard(id);
    if (epoch <= changed.epoch) return invalid("epoch " + std::to_string(epoch.value) + " is not new");
    changed.primary = primary;
    changed.epoch = epoch;
    changed.standby.reset();
    changed.standing = Standing::kAlone;
    return with_shard(std::move(changed));
}

Result<MapPointer> ShardMap::with_group(Group group) const {
    std::vector<Group> groups = groups_;
    const auto old = std::find_if(groups.begin(), groups.end(), [&](const Group& each) { return each.id == group.id; });
    if (old != groups.end()) groups.erase(old);
    groups.push_back(std::move(group));
    return next(shards_, std::move(groups));
}

Result<MapPointer> ShardMap::without_group(GroupId id) const {
    std::vector<Group> groups = groups_;
    std::erase_if(groups, [&](const Group& group) { return group.id == id; });
    return next(shards_, std::move(groups));
}

Result<MapPointer> ShardMap::with_owner(GroupId id, BucketRange range) const {
    const Group* group = find_group(id);
    if (group == nullptr) return invalid("group " + std::to_string(id.value) + " does not exist");
    Group changed = *group;
    changed.owners = changed.owners->with(range);
    return with_group(std::move(changed));
}

}  // namespace pgmosaic::shardmap

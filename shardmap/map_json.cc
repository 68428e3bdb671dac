#include "shardmap/map_json.h"

#include <array>
#include <boost/json.hpp>

namespace pgmosaic::shardmap {

namespace {

namespace json = boost::json;

// Thrown inside this file only: where a document is not what it should be.
struct Misfit {
    std::string what;
};

const json::value& member(const json::value& value, std::string_view name) {
    const json::object* object = value.if_object();
    const json::value* found = object == nullptr ? nullptr : object->if_contains(name);
    if (found == nullptr) throw Misfit{"member \"" + std::string(name) + "\" is missing"};
    return *found;
}

template <class Rep>
Rep integer(const json::value& value, std::string_view name) {
    json::error_code error;
    const auto number = value.to_number<Rep>(error);
    if (error) throw Misfit{"\"" + std::string(name) + "\" is not a number in its range"};
    return number;
}

template <class Id>
Id id_of(const json::value& value, std::string_view name) {
    return Id{integer<typename Id::rep>(member(value, name), name)};
}

std::string string_of(const json::value& value, std::string_view name) {
    const json::string* text = member(value, name).if_string();
    if (text == nullptr) throw Misfit{"\"" + std::string(name) + "\" is not a string"};
    return {text->data(), text->size()};
}

const json::array& array_of(const json::value& value, std::string_view name) {
    const json::array* array = member(value, name).if_array();
    if (array == nullptr) throw Misfit{"\"" + std::string(name) + "\" is not an array"};
    return *array;
}

template <class Enum, std::size_t N>
Enum enum_of(const json::value& value, std::string_view name, const std::array<Enum, N>& choices) {
    const std::string text = string_of(value, name);
    for (Enum choice : choices) {
        if (to_string(choice) == text) return choice;
    }
    throw Misfit{"\"" + text + "\" is not a value of \"" + std::string(name) + "\""};
}

constexpr std::array kNodeStates{NodeState::kReady, NodeState::kFenced, NodeState::kRebuilding};
constexpr std::array kStandings{Standing::kAlone, Standing::kNamed, Standing::kPromotable};
constexpr std::array kSteps{FailoverStep::kNone,      FailoverStep::kFenced,   FailoverStep::kDrained,
                            FailoverStep::kPromoting, FailoverStep::kPromoted, FailoverStep::kResolved};

json::value write(const Cluster& cluster) {
    return {{"name", cluster.name},
            {"id", cluster.id},
            {"home", cluster.home.value},
            {"next_node", cluster.next_node.value},
            {"next_group", cluster.next_group.value}};
}

Cluster read_cluster(const json::value& value) {
    return Cluster{.name = string_of(value, "name"),
                   .id = string_of(value, "id"),
                   .home = id_of<ShardId>(value, "home"),
                   .next_node = id_of<NodeId>(value, "next_node"),
                   .next_group = id_of<GroupId>(value, "next_group")};
}

json::value write(const Node& node) {
    return {{"id", node.id.value},   {"name", node.name},
            {"host", node.host},     {"port", node.port},
            {"data_directory", node.data_directory}, {"state", to_string(node.state)}};
}

Node read_node(const json::value& value) {
    return Node{.id = id_of<NodeId>(value, "id"),
                .name = string_of(value, "name"),
                .host = string_of(value, "host"),
                .port = integer<std::uint16_t>(member(value, "port"), "port"),
                .data_directory = string_of(value, "data_directory"),
                .state = enum_of(value, "state", kNodeStates)};
}

json::value write(const Shard& shard) {
    json::array nodes;
    for (const Node& node : shard.nodes) nodes.push_back(write(node));
    return {{"id", shard.id.value},
            {"name", shard.name},
            {"epoch", shard.epoch.value},
            {"primary", shard.primary.value},
            {"nodes", std::move(nodes)},
            {"standby", shard.standby ? json::value(shard.standby->value) : json::value(nullptr)},
            {"standing", to_string(shard.standing)},
            {"step", to_string(shard.step)}};
}

Shard read_shard(const json::value& value) {
    Shard shard{.id = id_of<ShardId>(value, "id"),
                .name = string_of(value, "name"),
                .epoch = id_of<Epoch>(value, "epoch"),
                .primary = id_of<NodeId>(value, "primary"),
                .standing = enum_of(value, "standing", kStandings),
                .step = enum_of(value, "step", kSteps)};
    for (const json::value& node : array_of(value, "nodes")) shard.nodes.push_back(read_node(node));
    if (!member(value, "standby").is_null()) shard.standby = id_of<NodeId>(value, "standby");
    if (std::string fault = fault_of(shard); !fault.empty()) throw Misfit{std::move(fault)};
    return shard;
}

json::value write(const Group& group) {
    json::array ranges;
    for (const BucketRange& range : group.owners->ranges()) {
        ranges.push_back(json::array{range.first, range.last, range.owner.value});
    }
    return {{"id", group.id.value},
            {"database", group.database},
            {"name", group.name},
            {"key_type", group.key_type},
            {"ranges", std::move(ranges)}};
}

BucketRange read_range(const json::value& value) {
    const json::array* triple = value.if_array();
    if (triple == nullptr || triple->size() != 3) throw Misfit{"a range is not [first, last, shard]"};
    return {.first = integer<std::uint16_t>((*triple)[0], "ranges"),
            .last = integer<std::uint16_t>((*triple)[1], "ranges"),
            .owner = ShardId{integer<std::uint16_t>((*triple)[2], "ranges")}};
}

Group read_group(const json::value& value) {
    Group group{.id = id_of<GroupId>(value, "id"),
                .database = string_of(value, "database"),
                .name = string_of(value, "name"),
                .key_type = integer<Oid>(member(value, "key_type"), "key_type")};
    std::vector<BucketRange> ranges;
    for (const json::value& range : array_of(value, "ranges")) ranges.push_back(read_range(range));
    auto owners = Ownership::make(std::move(ranges));
    if (!owners) throw Misfit{owners.error().message};
    group.owners = std::move(*owners);
    return group;
}

MapPointer read_map(const json::value& value) {
    std::vector<Shard> shards;
    std::vector<Group> groups;
    for (const json::value& shard : array_of(value, "shards")) shards.push_back(read_shard(shard));
    for (const json::value& group : array_of(value, "groups")) groups.push_back(read_group(group));
    auto map = ShardMap::make(id_of<MapVersion>(value, "version"), read_cluster(member(value, "cluster")), std::move(shards),
                              std::move(groups));
    if (!map) throw Misfit{map.error().message};
    return *map;
}

template <class T>
Result<T> parse(std::string_view text, const char* kind, T (*read)(const json::value&)) {
    json::error_code error;
    const json::value value = json::parse(text, error);
    try {
        if (error) throw Misfit{"not JSON: " + error.message()};
        return read(value);
    } catch (const Misfit& misfit) {
        return Error{.message = std::string("invalid ") + kind + " in the shard map: " + misfit.what};
    }
}

}  // namespace

std::string to_json(const Cluster& cluster) { return json::serialize(write(cluster)); }
std::string to_json(const Shard& shard) { return json::serialize(write(shard)); }
std::string to_json(const Group& group) { return json::serialize(write(group)); }
Result<Cluster> cluster_from_json(std::string_view text) { return parse<Cluster>(text, "cluster", read_cluster); }
Result<Shard> shard_from_json(std::string_view text) { return parse<Shard>(text, "shard", read_shard); }
Result<Group> group_from_json(std::string_view text) { return parse<Group>(text, "group", read_group); }

std::string to_json(const ShardMap& map) {
    json::array shards;
    json::array groups;
    for (const Shard& shard : map.shards()) shards.push_back(write(shard));
    for (const Group& group : map.groups()) groups.push_back(write(group));
    return json::serialize(json::value{{"version", map.version().value},
                                       {"cluster", write(map.cluster())},
                                       {"shards", std::move(shards)},
                                       {"groups", std::move(groups)}});
}

Result<MapPointer> map_from_json(std::string_view text) { return parse<MapPointer>(text, "document", read_map); }

}  // namespace pgmosaic::shardmap

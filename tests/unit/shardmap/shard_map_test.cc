#include "shardmap/shard_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shardmap/map_json.h"

namespace pgmosaic::shardmap {
namespace {

using testing::HasSubstr;

Shard make_shard(std::uint16_t number) {
    const std::string name = "s" + std::to_string(number + 1);
    const std::uint32_t first = number * 2u + 1;
    Shard shard{.id = ShardId{number}, .name = name, .primary = NodeId{first}};
    for (std::uint32_t i = 0; i < 2; ++i) {
        shard.nodes.push_back(Node{.id = NodeId{first + i},
                                   .name = name + (i == 0 ? "a" : "b"),
                                   .host = "127.0.0.1",
                                   .port = static_cast<std::uint16_t>(7000 + first + i),
                                   .data_directory = "/d/" + name});
    }
    shard.standby = NodeId{first + 1};
    shard.standing = Standing::kPromotable;
    return shard;
}

std::vector<Shard> four_shards() { return {make_shard(0), make_shard(1), make_shard(2), make_shard(3)}; }

MapPointer four_shard_map() {
    Cluster cluster{.name = "app", .id = "0123", .next_node = NodeId{9}, .next_group = GroupId{2}};
    Group group{.id = GroupId{1}, .database = "app", .name = "customers", .key_type = kInt8Oid};
    group.owners = Ownership::even({ShardId{0}, ShardId{1}, ShardId{2}, ShardId{3}});
    return ShardMap::make(MapVersion{7}, cluster, four_shards(), {group}).value();
}

TEST(Ownership, SplitsAllBucketsEvenly) {
    const auto three = Ownership::even({ShardId{0}, ShardId{1}, ShardId{2}});
    EXPECT_EQ(three->count(ShardId{0}), 21846u);
    EXPECT_EQ(three->count(ShardId{1}), 21845u);
    EXPECT_EQ(three->count(ShardId{2}), 21845u);
    EXPECT_EQ(three->owner(Bucket{0}), ShardId{0});
    EXPECT_EQ(three->owner(Bucket{65535}), ShardId{2});
    EXPECT_EQ(three->ranges().size(), 3u);
}

TEST(Ownership, RefusesBucketsOwnedTwiceOrByNobody) {
    const ShardId s0{0};
    EXPECT_TRUE(Ownership::make({{0, 65535, s0}}));
    EXPECT_TRUE(Ownership::make({{100, 65535, s0}, {0, 99, ShardId{1}}}));
    EXPECT_THAT(Ownership::make({}).error().message, HasSubstr("bucket 0 is owned by nobody"));
    EXPECT_THAT(Ownership::make({{0, 65534, s0}}).error().message, HasSubstr("65535 is owned by nobody"));
    EXPECT_THAT(Ownership::make({{0, 9, s0}, {11, 65535, s0}}).error().message, HasSubstr("10 is owned by nobody"));
    EXPECT_THAT(Ownership::make({{0, 10, s0}, {10, 65535, s0}}).error().message, HasSubstr("10 is owned twice"));
    EXPECT_THAT(Ownership::make({{0, 65535, s0}, {5, 4, s0}}).error().message, HasSubstr("twice"));
}

TEST(Ownership, MovesARangeAndJoinsNeighbours) {
    const auto two = Ownership::even({ShardId{0}, ShardId{1}});
    const auto moved = two->with({.first = 10, .last = 19, .owner = ShardId{1}});
    EXPECT_EQ(moved->ranges().size(), 4u);
    EXPECT_EQ(moved->owner(Bucket{10}), ShardId{1});
    EXPECT_EQ(two->owner(Bucket{10}), ShardId{0});
    EXPECT_EQ(moved->with({.first = 10, .last = 19, .owner = ShardId{0}})->ranges(), two->ranges());
}

TEST(ShardMap, FindsOwnersShardsAndNodes) {
    const MapPointer map = four_shard_map();
    EXPECT_EQ(map->owner(GroupId{1}, Bucket{0}), ShardId{0});
    EXPECT_EQ(map->owner(GroupId{1}, Bucket{65535}), ShardId{3});
    EXPECT_EQ(map->owners(GroupId{2}), nullptr);
    EXPECT_EQ(map->owners(GroupId{0}), nullptr);
    EXPECT_EQ(map->find_shard("s3")->id, ShardId{2});
    EXPECT_EQ(map->find_shard("s9"), nullptr);
    EXPECT_EQ(map->find_node("s2b")->id, NodeId{4});
    EXPECT_EQ(map->shard_of(NodeId{4})->name, "s2");
    EXPECT_EQ(map->find_group("app", KeyFamily::kInteger)->id, GroupId{1});
    EXPECT_EQ(map->find_group("app", KeyFamily::kText), nullptr);
    EXPECT_EQ(map->find_group("other", KeyFamily::kInteger), nullptr);
    EXPECT_EQ(map->shard(ShardId{1}).primary_node().name, "s2a");
    EXPECT_EQ(map->shard(ShardId{1}).promotable()->name, "s2b");
}

TEST(ShardMap, MakesNextVersionsAndLeavesTheOldAlone) {
    const MapPointer map = four_shard_map();
    const MapPointer moved = map->with_primary(ShardId{1}, NodeId{4}, Epoch{2}).value();
    EXPECT_EQ(moved->version(), MapVersion{8});
    EXPECT_EQ(moved->shard(ShardId{1}).primary_node().name, "s2b");
    EXPECT_EQ(moved->shard(ShardId{1}).promotable(), nullptr);
    EXPECT_EQ(map->shard(ShardId{1}).primary_node().name, "s2a");
    EXPECT_FALSE(map->with_primary(ShardId{1}, NodeId{4}, Epoch{1}));
    EXPECT_FALSE(map->with_primary(ShardId{1}, NodeId{1}, Epoch{2}));

    Group text{.id = GroupId{2}, .database = "app", .name = "tags", .key_type = kTextOid,
               .owners = Ownership::even(map->shard_ids())};
    const MapPointer grown = map->with_group(text).value();
    EXPECT_EQ(grown->groups().size(), 2u);
    EXPECT_EQ(grown->owners(GroupId{1}), grown->owners(GroupId{2}));  // spread alike: one array
    const MapPointer apart = grown->with_owner(GroupId{2}, {0, 0, ShardId{3}}).value();
    EXPECT_EQ(apart->owner(GroupId{2}, Bucket{0}), ShardId{3});
    EXPECT_EQ(apart->owner(GroupId{1}, Bucket{0}), ShardId{0});
    EXPECT_EQ(apart->without_group(GroupId{2}).value()->owners(GroupId{2}), nullptr);
}

TEST(ShardMap, RefusesWhatDoesNotFitTogether) {
    const MapPointer map = four_shard_map();
    const auto fault = [&](auto change) {
        std::vector<Shard> shards = four_shards();
        change(shards);
        return ShardMap::make(MapVersion{1}, map->cluster(), shards, map->groups()).error().message;
    };
    EXPECT_THAT(fault([](auto& shards) { shards.clear(); }), HasSubstr("no shards"));
    EXPECT_THAT(fault([](auto& shards) { shards[1].id = ShardId{5}; }), HasSubstr("not number 1"));
    EXPECT_THAT(fault([](auto& shards) { shards[1].name = "s1"; }), HasSubstr("\"s1\" is used twice"));
    EXPECT_THAT(fault([](auto& shards) { shards[1].nodes[0].name = "s1a"; }), HasSubstr("\"s1a\" is used twice"));
    EXPECT_THAT(fault([](auto& shards) { shards[0].primary = NodeId{99}; }), HasSubstr("none of its nodes"));
    EXPECT_THAT(fault([](auto& shards) { shards[0].standby = shards[0].primary; }), HasSubstr("none of its other"));
    EXPECT_THAT(fault([](auto& shards) { shards[0].standby.reset(); }), HasSubstr("waits for no standby"));
    EXPECT_THAT(fault([](auto& shards) { shards[0].nodes[1].port = 0; }), HasSubstr("no address"));
    EXPECT_THAT(fault([](auto& shards) { shards.pop_back(); }), HasSubstr("names shard 3"));
    Group floats{.id = GroupId{3}, .key_type = 701, .owners = map->groups()[0].owners};
    EXPECT_THAT(map->with_group(floats).error().message, HasSubstr("key of type 701"));
}

TEST(MapJson, ComesBackAsItWas) {
    const MapPointer map = four_shard_map();
    const MapPointer back = map_from_json(to_json(*map)).value();
    EXPECT_EQ(back->version(), map->version());
    EXPECT_EQ(back->cluster(), map->cluster());
    EXPECT_EQ(back->shards(), map->shards());
    ASSERT_EQ(back->groups().size(), 1u);
    EXPECT_EQ(back->groups()[0].owners->ranges(), map->groups()[0].owners->ranges());
    EXPECT_EQ(to_json(*back), to_json(*map));

    Shard failing = make_shard(0);
    failing.step = FailoverStep::kPromoting;
    failing.standing = Standing::kAlone;
    failing.standby.reset();
    failing.nodes[0].state = NodeState::kFenced;
    EXPECT_EQ(shard_from_json(to_json(failing)).value(), failing);
}

TEST(MapJson, NamesTheMemberThatIsWrong) {
    const std::string good = to_json(make_shard(0));
    const auto with = [&](std::string_view from, std::string_view to) {
        std::string text = good;
        text.replace(text.find(from), from.size(), to);
        return shard_from_json(text).error().message;
    };
    EXPECT_THAT(with("\"epoch\":1", "\"epoch\":-1"), HasSubstr("\"epoch\" is not a number"));
    EXPECT_THAT(with("\"epoch\":1", "\"epoch\":\"x\""), HasSubstr("\"epoch\" is not a number"));
    EXPECT_THAT(with("\"epoch\"", "\"apoch\""), HasSubstr("\"epoch\" is missing"));
    EXPECT_THAT(with("promotable", "perhaps"), HasSubstr("\"perhaps\" is not a value of \"standing\""));
    EXPECT_THAT(with("7002", "70020"), HasSubstr("\"port\" is not a number"));
    EXPECT_THAT(shard_from_json("{").error().message, HasSubstr("not JSON"));
    EXPECT_THAT(shard_from_json("[]").error().message, HasSubstr("is missing"));
    EXPECT_THAT(group_from_json(R"({"id":1,"database":"a","name":"t","key_type":20,"ranges":[[0,5]]})").error().message,
                HasSubstr("a range is not"));
}

}  // namespace
}  // namespace pgmosaic::shardmap

#include "shardmap/store/map_store.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "shardmap/store/sqlite_store.h"

namespace pgmosaic::store {
namespace {

using shardmap::Cluster;
using shardmap::Group;
using shardmap::MapPointer;
using shardmap::Node;
using shardmap::Ownership;
using shardmap::Shard;
using shardmap::ShardMap;

class MapStore : public testing::Test {
   protected:
    MapStore() {
        std::string pattern = (std::filesystem::temp_directory_path() / "pgm-map-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        store_ = SqliteStore::open((folder_ / "map.db").string()).value();
    }
    ~MapStore() override {
        store_.reset();
        std::filesystem::remove_all(folder_);
    }

    static MapPointer first_map(std::uint16_t shard_count) {
        std::vector<Shard> shards;
        for (std::uint16_t i = 0; i < shard_count; ++i) {
            Shard shard{.id = ShardId{i}, .name = "s" + std::to_string(i + 1), .primary = NodeId{i + 1u}};
            shard.nodes.push_back(Node{.id = shard.primary, .name = shard.name + "a", .host = "h", .port = 1});
            shards.push_back(shard);
        }
        return ShardMap::make(MapVersion{1}, Cluster{.name = "app", .id = "x"}, shards, {}).value();
    }

    std::filesystem::path folder_;
    std::unique_ptr<Store> store_;
};

TEST_F(MapStore, IsCreatedOnceAndComesBack) {
    EXPECT_FALSE(has_map(*store_).value());
    EXPECT_EQ(load_map(*store_).error().code, sqlstate::kObjectNotInPrerequisiteState);
    const MapPointer made = create_map(*store_, *first_map(12), "init").value();
    EXPECT_TRUE(has_map(*store_).value());
    EXPECT_EQ(made->shards().size(), 12u);
    EXPECT_EQ(made->shard(ShardId{11}).name, "s12");
    EXPECT_EQ(create_map(*store_, *first_map(2), "again").error().code, sqlstate::kObjectNotInPrerequisiteState);
    EXPECT_EQ(load_map(*store_).value()->shards(), made->shards());
}

TEST_F(MapStore, LetsOnlyOneDeciderTakeAnEpoch) {
    const MapPointer map = create_map(*store_, *first_map(2), "init").value();
    Shard mine = map->shard(ShardId{1});
    Shard other = mine;
    mine.epoch = other.epoch = Epoch{2};
    mine.revision = save_shard(*store_, mine, "failover").value();
    EXPECT_TRUE(is_conflict(save_shard(*store_, other, "failover by another").error()));
    EXPECT_EQ(load_shard(*store_, ShardId{1}).value(), mine);
    const MapPointer next = load_map(*store_).value();
    EXPECT_GT(next->version(), map->version());
    EXPECT_EQ(next->shard(ShardId{1}).epoch, Epoch{2});
    mine.primary = NodeId{77};
    EXPECT_FALSE(save_shard(*store_, mine, "nonsense"));
}

TEST_F(MapStore, NumbersGroupsOnce) {
    const MapPointer map = create_map(*store_, *first_map(2), "init").value();
    Group fresh{.database = "app", .name = "t", .key_type = shardmap::kInt8Oid, .owners = Ownership::even(map->shard_ids())};
    const Group first = save_group(*store_, map->cluster(), fresh, "create").value();
    EXPECT_EQ(first.id, GroupId{1});
    EXPECT_TRUE(is_conflict(save_group(*store_, map->cluster(), fresh, "with an old cluster record").error()));
    const MapPointer second_map = load_map(*store_).value();
    const Group second = save_group(*store_, second_map->cluster(), fresh, "create").value();
    EXPECT_EQ(second.id, GroupId{2});
    Group moved = first;
    moved.owners = moved.owners->with({0, 9, ShardId{1}});
    EXPECT_EQ(save_group(*store_, second_map->cluster(), moved, "move").value().id, GroupId{1});
    EXPECT_EQ(load_map(*store_).value()->owner(GroupId{1}, Bucket{0}), ShardId{1});
    EXPECT_TRUE(remove_group(*store_, second, "drop"));
    EXPECT_EQ(load_map(*store_).value()->groups().size(), 1u);
    EXPECT_TRUE(remove_groups(*store_, *load_map(*store_).value(), "app", "drop database"));
    EXPECT_EQ(load_map(*store_).value()->groups().size(), 0u);
}

}  // namespace
}  // namespace pgmosaic::store

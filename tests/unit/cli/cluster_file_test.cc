#include "cli/cluster_file.h"

#include <gtest/gtest.h>

#include "cli/provision.h"

namespace pgmosaic::cli {
namespace {

TEST(ClusterFile, ComesBackFromItsText) {
    ClusterFile cluster = new_cluster(2, true);
    cluster.complete = true;
    cluster.boot = "4f1c";
    cluster.servers[0].port = 7001;
    const Result<ClusterFile> again = cluster_from_json(to_json(cluster));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, cluster);
}

TEST(ClusterFile, NamesServersByShard) {
    const ClusterFile cluster = new_cluster(2, true);
    ASSERT_EQ(cluster.servers.size(), 5U);
    EXPECT_EQ(cluster.servers[3].name, "s2b");
    EXPECT_EQ(cluster.servers[3].node, NodeId{4});
    EXPECT_EQ(cluster.servers[4].name, "workbench");
    EXPECT_EQ(cluster.shard_count(), 2U);
    EXPECT_TRUE(cluster.has_standbys());
    EXPECT_FALSE(new_cluster(3, false).has_standbys());
}

TEST(ClusterFile, RefusesWhatItDoesNotKnow) {
    EXPECT_FALSE(cluster_from_json(""));
    EXPECT_FALSE(cluster_from_json("[]"));
    EXPECT_FALSE(cluster_from_json("{\"schema\": \"pgmosaic/cluster/1\"}"));
    const Result<ClusterFile> newer = cluster_from_json("{\"schema\": \"pgmosaic/cluster/9\"}");
    ASSERT_FALSE(newer);
    EXPECT_NE(newer.error().message.find("another version"), std::string::npos);
}

TEST(ClusterFile, AvoidsSocketsInDeepDirectories) {
    const LocalServer server{.name = "s1a", .shard = "s1", .port = 7001};
    EXPECT_EQ(Layout{.root = "/srv/m"}.server(server).socket_directory, "/srv/m/sockets");
    EXPECT_EQ(Layout{.root = "/" + std::string(100, 'x')}.server(server).socket_directory, "");
}

TEST(FirstMap, KnowsPrimariesAndUnprovedStandbys) {
    ClusterFile cluster = new_cluster(2, true);
    for (LocalServer& server : cluster.servers) server.port = static_cast<std::uint16_t>(7001 + server.node.value);
    const Result<shardmap::MapPointer> map = first_map(Layout{.root = "/srv/m"}, cluster);
    ASSERT_TRUE(map) << map.error().message;
    const shardmap::Shard& second = (*map)->shards().at(1);
    EXPECT_EQ(second.name, "s2");
    EXPECT_EQ(second.primary_node().name, "s2a");
    EXPECT_EQ(second.standby, NodeId{4});
    EXPECT_EQ(second.standing, shardmap::Standing::kNamed);
    EXPECT_EQ((*map)->cluster().next_node, NodeId{5});
    EXPECT_EQ((*map)->cluster().id, cluster.id);
}

}  // namespace
}  // namespace pgmosaic::cli

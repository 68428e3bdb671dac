#include "coordinator/internal/console_pages.h"

#include <gtest/gtest.h>

namespace pgmosaic::coordinator {
namespace {

ConsoleFacts facts(const std::string& state) {
    return {.shards = {{.name = "s1", .state = state, .epoch = Epoch{3},
                        .nodes = {{.name = "s1b", .role = "primary", .health = replication::Health::kAnswering, .timeline = 2}}}},
            .map_version = 17};
}

TEST(ConsolePages, TellWhoIsPrimary) {
    const ConsolePage page = console_page("/health/shard/s1/primary", facts("degraded"));
    EXPECT_EQ(page.status, 200);
    EXPECT_NE(page.body.find(R"("epoch":3,"primary":"s1b","timeline":2)"), std::string::npos) << page.body;
    EXPECT_EQ(console_page("/health/shard/s1/primary", facts("failing_over")).status, 503);
    EXPECT_EQ(console_page("/health/shard/s9/primary", facts("healthy")).status, 404);
}

TEST(ConsolePages, AreReadyWhenEveryShardHasAPrimary) {
    EXPECT_EQ(console_page("/health/live", {}).status, 200);
    EXPECT_EQ(console_page("/health/ready", {}).status, 503);
    EXPECT_EQ(console_page("/health/ready", facts("healthy")).status, 200);
    EXPECT_EQ(console_page("/health/ready", facts("down")).body, "no primary: s1\n");
}

TEST(ConsolePages, GiveMetricsInPrometheusForm) {
    const std::string text = console_page("/metrics", facts("healthy")).body;
    EXPECT_NE(text.find("# TYPE mosaic_map_version gauge\nmosaic_map_version 17\n"), std::string::npos);
    EXPECT_NE(text.find("mosaic_shard_primary_up{shard=\"s1\"} 1\n"), std::string::npos);
    EXPECT_NE(text.find("mosaic_node_up{shard=\"s1\",node=\"s1b\"} 1\n"), std::string::npos);
}

TEST(ConsolePages, ReadTheFirstLineOfARequest) {
    EXPECT_EQ(requested_path("GET /metrics?x=1 HTTP/1.1\r\n\r\n"), "/metrics");
    EXPECT_EQ(requested_path("HEAD /health/live HTTP/1.1\r\n"), "/health/live");
    EXPECT_EQ(requested_path("POST / HTTP/1.1\r\n"), "");
    EXPECT_EQ(requested_path("garbage"), "");
}

}  // namespace
}  // namespace pgmosaic::coordinator

#include "cli/output.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "cli/status.h"

namespace pgmosaic::cli {
namespace {

node::SqlRows sample_rows() {
    return {.columns = {"name", "rows", "note"}, .types = {25, 20, 25},
            .rows = {{"orders", "12", "a,\"b\""}, {"größe", "3", std::nullopt}}};
}

TEST(Output, AlignsTables) {
    EXPECT_EQ(format_rows(sample_rows(), Format::kTable),
              "NAME    ROWS  NOTE\n"
              "orders    12  a,\"b\"\n"
              "größe      3\n");
    EXPECT_EQ(format_rows(sample_rows(), Format::kTable, 1), "NAME\norders\ngröße\n");
}

TEST(Output, QuotesCsv) {
    EXPECT_EQ(format_rows(sample_rows(), Format::kCsv), "name,rows,note\norders,12,\"a,\"\"b\"\"\"\ngröße,3,\n");
}

TEST(Output, KeepsTypesInJsonAndYaml) {
    EXPECT_EQ(format_rows(sample_rows(), Format::kJson),
              "[\n  {\n    \"name\": \"orders\",\n    \"rows\": 12,\n    \"note\": \"a,\\\"b\\\"\"\n  },\n"
              "  {\n    \"name\": \"größe\",\n    \"rows\": 3,\n    \"note\": null\n  }\n]\n");
    const std::string yaml = format_rows(sample_rows(), Format::kYaml);
    EXPECT_NE(yaml.find("rows: 12"), std::string::npos) << yaml;
    EXPECT_NE(yaml.find("name: \"orders\""), std::string::npos) << yaml;
}

TEST(Output, RoundsBytesForPeople) {
    EXPECT_EQ(human_bytes(0), "0 B");
    EXPECT_EQ(human_bytes(1536), "1.5 KiB");
}

const char* const kStatus = R"({"schema": "pgmosaic/status/1", "cluster": "app", "state": "degraded", "map_version": 17,
 "endpoint": {"host": "127.0.0.1", "port": 6432, "pid": 4711},
 "shards": [{"name": "s1", "state": "degraded", "epoch": 2, "buckets": 16384, "size_bytes": 1048576,
   "nodes": [{"name": "s1a", "role": "primary", "host": "127.0.0.1", "port": 7001, "pid": 4720, "data_directory": "/d",
              "timeline": 1, "lsn": "0/3000148", "sync": false, "promotable": false, "lag_bytes": 0},
             {"name": "s1b", "role": "down", "host": "127.0.0.1", "port": 7002, "pid": null, "data_directory": "/e",
              "timeline": null, "lsn": null, "sync": null, "promotable": false, "lag_bytes": null}]}],
 "workbench": {"host": "127.0.0.1", "port": 7100, "pid": 4730}, "jobs": [], "last_failover": null})";

TEST(Status, FitsOnOneScreen) {
    EXPECT_EQ(status_screen(boost::json::parse(kStatus), false),
              "cluster app: degraded, map version 17, endpoint 127.0.0.1:6432 (pid 4711)\n\n"
              "SHARD  STATE     BUCKETS  SIZE     NODE  ROLE     ADDRESS          PID  IN SYNC  LAG\n"
              "s1     degraded    16384  1.0 MiB  s1a   primary  127.0.0.1:7001  4720  no       0 B\n"
              "                                   s1b   down     127.0.0.1:7002\n"
              "\nworkbench 127.0.0.1:7100 (pid 4730)\n");
}

TEST(Status, TellsTheLastFailoverInOneLine) {
    const std::string screen = status_screen(boost::json::parse(R"({"cluster": "app", "state": "healthy", "map_version": 1,
        "shards": [], "last_failover": {"shard": "s3", "to": "s3b", "from": "s3a", "cause": "primary refusing",
        "total_ms": 668.5, "at": "2026-11-23T00:17:30.553Z"}})"), false);
    EXPECT_NE(screen.find("last failover 2026-11-23T00:17:30.553Z: shard s3 from s3a to s3b in 668 ms (primary refusing)\n"),
              std::string::npos) << screen;
    EXPECT_EQ(format_json(boost::json::parse("[668.5, 0.0]")), "[\n  668.5,\n  0\n]\n");
}

TEST(Status, HasAnExitCodePerState) {
    EXPECT_EQ(status_verdict(boost::json::parse(kStatus)), ExitCode::kDegraded);
    EXPECT_EQ(status_verdict(boost::json::parse(R"({"state": "healthy"})")), ExitCode::kDone);
    EXPECT_EQ(status_verdict(boost::json::parse(R"({"state": "down"})")), ExitCode::kDown);
}

}  // namespace
}  // namespace pgmosaic::cli

#include "cli/config.h"

#include <gtest/gtest.h>

#include <string>

#include "cli/internal/suggest.h"
#include "cli/reload.h"

namespace pgmosaic::cli {
namespace {

std::string complaints(const std::string& text) { return render_problems(check_config("pgmosaic.yaml", text), "pgmosaic.yaml"); }

TEST(Config, NamesAllFiveMistakesWithTheirPlaces) {
    const std::string text =
        "version: 1\n"
        "clustr: app\n"
        "listen: { postgres: [\"127.0.0.1:70000\"], max_clients: 10000 }\n"
        "reads:\n"
        "  max_stalness: 1s\n"
        "pool: { mode: transaction, wait_timeout: 5 }\n"
        "servers: { user: app, password: secret }\n";
    EXPECT_EQ(complaints(text),
              "pgmosaic.yaml:2:1: error: clustr is not a setting\n"
              "    2 | clustr: app\n"
              "      | ^~~~~~ did you mean cluster?\n"
              "pgmosaic.yaml:3:22: error: invalid address in listen.postgres: \"127.0.0.1:70000\"\n"
              "    3 | listen: { postgres: [\"127.0.0.1:70000\"], max_clients: 10000 }\n"
              "      |                      ^~~~~~~~~~~~~~~~~ a port is a number from 1 to 65535\n"
              "pgmosaic.yaml:5:3: error: reads.max_stalness is not a setting\n"
              "    5 |   max_stalness: 1s\n"
              "      |   ^~~~~~~~~~~~ did you mean max_staleness?\n"
              "pgmosaic.yaml:6:42: error: pool.wait_timeout is a duration, not \"5\"\n"
              "    6 | pool: { mode: transaction, wait_timeout: 5 }\n"
              "      |                                          ^ a number with ms, s, min, h or d, for example 5s\n"
              "pgmosaic.yaml:7:33: error: servers.password may not stand in the file itself\n"
              "    7 | servers: { user: app, password: secret }\n"
              "      |                                 ^~~~~~ write file:PATH or env:NAME\n");
}

TEST(Config, FindsDuplicateKeys) {
    EXPECT_EQ(complaints("threads: 1\npool: { per_shard: 3 }\nthreads: 2\n"),
              "pgmosaic.yaml:3:1: error: threads is set twice\n"
              "    3 | threads: 2\n"
              "      | ^~~~~~~ first on line 1\n");
}

TEST(Config, KeepsToBounds) {
    EXPECT_EQ(complaints("failover: { detect: 10ms }\nlimits:\n  memory: 2GB\npool:\n  per_shard: 0\n"),
              "pgmosaic.yaml:1:21: error: failover.detect is out of bounds: 10ms\n"
              "    1 | failover: { detect: 10ms }\n"
              "      |                     ^~~~ from 200ms to 1h\n"
              "pgmosaic.yaml:3:11: error: limits.memory is a size, not \"2GB\"\n"
              "    3 |   memory: 2GB\n"
              "      |           ^~~ a number with B, KiB, MiB, GiB or TiB, for example 2GiB\n"
              "pgmosaic.yaml:5:14: error: pool.per_shard is out of bounds: 0\n"
              "    5 |   per_shard: 0\n"
              "      |              ^ from 1 to 10000\n");
}

TEST(Config, CountsColumnsInCharacters) {
    EXPECT_EQ(complaints("# ä\n\"clüster\": app\nlog: { level: \"ö\", slow: 1x }\n"),
              "pgmosaic.yaml:2:1: error: clüster is not a setting\n"
              "    2 | \"clüster\": app\n"
              "      | ^~~~~~~~~ did you mean cluster?\n"
              "pgmosaic.yaml:3:15: error: log.level cannot be \"ö\"\n"
              "    3 | log: { level: \"ö\", slow: 1x }\n"
              "      |               ^~~ one of debug, info, warn, error\n"
              "pgmosaic.yaml:3:26: error: log.slow is a duration, not \"1x\"\n"
              "    3 | log: { level: \"ö\", slow: 1x }\n"
              "      |                          ^~ a number with ms, s, min, h or d, for example 500ms\n");
}

TEST(Config, SaysWhereYamlBreaksOff) {
    EXPECT_EQ(complaints("pool: { per_shard: 3\n").substr(0, 37), "pgmosaic.yaml:2:1: error: not YAML: e");
}

TEST(Config, HintsAtTheRightSection) {
    EXPECT_NE(complaints("per_shard: 3\n").find("did you mean pool.per_shard?"), std::string::npos);
}

TEST(Config, ChecksShardsAgainstEachOther) {
    const std::string text =
        "shards:\n"
        "  - { name: s1, nodes: [\"a:1\", \"b:1\"] }\n"
        "  - { name: s1, nodes: [\"a:1\"], agent: [\"x:1\", \"y:1\"] }\n"
        "  - { nodes: [] }\n"
        "  - { name: s4, node: [\"c:1\"] }\n";
    const std::string all = complaints(text);
    EXPECT_NE(all.find(":3:13: error: two shards are named \"s1\""), std::string::npos) << all;
    EXPECT_NE(all.find(":3:25: error: server \"a:1\" is used twice"), std::string::npos) << all;
    EXPECT_NE(all.find("has 1 nodes and 2 agents"), std::string::npos) << all;
    EXPECT_NE(all.find(":4:5: error: a shard has no name"), std::string::npos) << all;
    EXPECT_NE(all.find("did you mean nodes?"), std::string::npos) << all;
}

TEST(Config, ReadsWhatTheContractShows) {
    setenv("PGMOSAIC_PASSWORD", "geheim", 1);
    const ConfigCheck check = check_config("/etc/pgmosaic/pgmosaic.yaml",
        "version: 1\n"
        "cluster: app\n"
        "listen:  { postgres: [\"127.0.0.1:6432\", \"unix:/run/pgmosaic\"], console: \"127.0.0.1:6480\", max_clients: 10000 }\n"
        "tls:     { mode: prefer, certificate: server.crt, key: server.key, servers: verify-full }\n"
        "auth:    [ { from: local, users: all, method: trust }, { from: 10.0.0.0/8, users: all, method: scram-sha-256 } ]\n"
        "store:   { kind: sqlite, path: state/map.db }\n"
        "shards:\n"
        "  - { name: s1, nodes: [\"10.0.1.11:5432\", \"10.0.1.21:5432\"], agent: [\"10.0.1.11:6481\", \"10.0.1.21:6481\"] }\n"
        "servers: { user: pgmosaic, password: \"env:PGMOSAIC_PASSWORD\" }\n"
        "workbench: \"10.0.1.31:5432\"\n"
        "threads: 0\n"
        "pool:    { mode: transaction, per_shard: 40, wait_timeout: 5s }\n"
        "reads:   { from: primary, max_staleness: 1s }\n"
        "failover: { automatic: true, detect: 2s, without_standby: continue }\n"
        "limits:  { memory: 2GiB, spill_dir: spill, workbench_max_bytes: 4GiB }\n"
        "log:     { format: logfmt, level: info, slow: 500ms }\n");
    EXPECT_EQ(render_problems(check, "f"), "");
    EXPECT_EQ(check.config.store_path, "/etc/pgmosaic/state/map.db");
    EXPECT_EQ(check.config.tls_key, "/etc/pgmosaic/server.key");
    EXPECT_EQ(check.config.servers_password, "geheim");
    EXPECT_EQ(check.config.shown.at("servers.password"), "env:PGMOSAIC_PASSWORD");
    EXPECT_EQ(check.config.memory_bytes, std::int64_t{2} << 30);
    EXPECT_EQ(check.config.shards.at(0).nodes.at(1), "10.0.1.21:5432");
    EXPECT_EQ(check.config.auth.at(1).from, "10.0.0.0/8");
    EXPECT_EQ(check.config.pool_wait_timeout, std::chrono::milliseconds(5000));
}

TEST(Config, FillsEverySettingWithItsDefault) {
    const Config config = default_config();
    EXPECT_EQ(config.cluster, "app");
    EXPECT_EQ(config.pool_per_shard, 40);
    EXPECT_EQ(config.auth.size(), 2U);
    EXPECT_TRUE(config.failover_automatic);
    for (const Setting& setting : settings()) {
        if (setting.name.find("[].") == std::string_view::npos) {
            EXPECT_EQ(config.shown.count(std::string(setting.name)), 1U) << setting.name;
        }
    }
}

TEST(Config, WritesAnInitialFileThatIsRight) {
    EXPECT_EQ(complaints(initial_config()), "");
}

TEST(Config, TellsThatAFileIsMissing) {
    EXPECT_EQ(render_problems(check_config_file("/nowhere/p.yaml"), "p.yaml"),
              "p.yaml: error: cannot read configuration file \"/nowhere/p.yaml\"\n");
}

TEST(Settings, ReadQuantitiesWithTheirUnits) {
    std::chrono::milliseconds length{};
    EXPECT_TRUE(parse_duration("500ms", length) && length.count() == 500);
    EXPECT_TRUE(parse_duration("5min", length) && length.count() == 300000);
    EXPECT_TRUE(parse_duration("0", length) && length.count() == 0);
    EXPECT_FALSE(parse_duration("5", length));
    EXPECT_FALSE(parse_duration("-5s", length));
    EXPECT_FALSE(parse_duration("99999999999999999d", length));
    EXPECT_EQ(format_size(std::int64_t{3} << 30), "3GiB");
    EXPECT_EQ(format_duration(std::chrono::milliseconds(1500)), "1500ms");
}

TEST(Suggest, CountsSwapsAsOneMistake) {
    EXPECT_EQ(edit_distance("memroy", "memory"), 1U);
    const std::vector<std::string> words{"memory", "mode"};
    EXPECT_EQ(nearest("memroy", words), "memory");
    EXPECT_EQ(nearest("zzz", words), "");
}

TEST(Config, SaysWhichRulesAndCertificatesDoNotFit) {
    EXPECT_EQ(complaints("auth: [ { from: all, users: all, method: cert }, { from: all, users: all, method: peer } ]\n"),
              "pgmosaic.yaml:1:42: error: auth method \"cert\" needs tls.client_ca\n"
              "    1 | auth: [ { from: all, users: all, method: cert }, { from: all, users: all, method: peer } ]\n"
              "      |                                          ^~~~\n"
              "pgmosaic.yaml:1:83: error: auth method \"peer\" is for Unix sockets only\n"
              "    1 | auth: [ { from: all, users: all, method: cert }, { from: all, users: all, method: peer } ]\n"
              "      |                                                                                   ^~~~ from: local\n");
    EXPECT_NE(complaints("tls: { client_ca: ca.crt }\n").find("tls.client_ca needs tls.certificate"), std::string::npos);
}

TEST(Reload, NamesWhatWaitsForARestart) {
    const auto read = [](const std::string& text) { return check_config("pgmosaic.yaml", text).config; };
    EXPECT_EQ(needing_restart(read(""), read("")), std::vector<std::string>{});
    EXPECT_EQ(needing_restart(read(""), read("threads: 3\npool: { mode: session, per_shard: 7 }\nlog: { level: debug }\n")),
              (std::vector<std::string>{"threads", "pool.mode"}));
    EXPECT_EQ(needing_restart(read("servers: { user: a }"), read("servers: { user: b }")), std::vector<std::string>{"servers.user"});
}

}  // namespace
}  // namespace pgmosaic::cli

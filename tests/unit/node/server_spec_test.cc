#include "replication/node/server_spec.h"

#include <gtest/gtest.h>

#include "replication/node/binaries.h"
#include "replication/node/sql.h"

namespace pgmosaic::node {
namespace {

const ServerSpec kPrimary{.name = "s1a", .directory = "/srv/it's/s1a", .port = 7001, .socket_directory = "/srv/sockets",
                          .user_settings = "/srv/servers.conf"};
const ServerSpec kStandby{.name = "s1b", .directory = "/srv/s1b", .port = 7002};

TEST(ServerSettings, AreReadBehindTheOperatorsWhereTheyMustHold) {
    const std::string text = server_settings(kPrimary);
    EXPECT_LT(text.find("include_if_exists = '/srv/servers.conf'"), text.find("\nport = 7001"));
    EXPECT_NE(text.find("wal_log_hints = on"), std::string::npos);
    EXPECT_NE(text.find("hba_file = '/srv/it''s/s1a/pg_hba.conf'"), std::string::npos) << text;
}

TEST(ServerSettings, LeaveSocketsOutWhereThereAreNone) {
    EXPECT_NE(server_settings(kStandby).find("unix_socket_directories = ''"), std::string::npos);
    EXPECT_NE(conninfo(kStandby).find("host='127.0.0.1'"), std::string::npos);
    EXPECT_NE(conninfo(kPrimary).find("host='/srv/sockets'"), std::string::npos);
}

TEST(StandbySettings, NameTheStandbyAndNobodyToWaitFor) {
    const std::string text = standby_settings(kStandby, kPrimary);
    EXPECT_NE(text.find("application_name=s1b"), std::string::npos) << text;
    EXPECT_NE(text.find("port=7001"), std::string::npos);
    EXPECT_NE(text.find("primary_slot_name = 's1b'"), std::string::npos);
    EXPECT_EQ(text.find("synchronous_standby_names"), std::string::npos);
}

TEST(Binaries, KnowAMajorVersionFromWhatIsPrinted) {
    EXPECT_EQ(major_version("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"), 15);
    EXPECT_EQ(major_version("postgres (PostgreSQL) 16beta1\n"), 16);
    EXPECT_EQ(major_version("bash: no such file\n"), 0);
}

TEST(Sql, QuotesWhatComesFromPeople) {
    EXPECT_EQ(quote_literal("it's"), "'it''s'");
    EXPECT_EQ(quote_literal("a\\b"), " E'a\\\\b'");
    EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
}

}  // namespace
}  // namespace pgmosaic::node

#include "coordinator/access_rules.h"

#include <gtest/gtest.h>

#include "coordinator/client_seats.h"

namespace pgmosaic::coordinator {
namespace {

AccessRules rules_of(const std::vector<AuthRule>& written) {
    auto rules = AccessRules::make(written);
    EXPECT_TRUE(rules) << rules.error().message;
    return *rules;
}

AuthRule rule(std::string from, std::string method, std::vector<std::string> users = {"all"}, std::vector<std::string> databases = {"all"}) {
    return {.from = std::move(from), .users = std::move(users), .databases = std::move(databases), .method = std::move(method)};
}

const ClientOrigin kSocket{.unix_socket = true};
ClientOrigin at(const char* address) { return {.address = boost::asio::ip::make_address(address)}; }

std::optional<AccessMethod> method(const AccessRules& rules, const ClientOrigin& origin, const std::string& user = "anna",
                                   const std::string& database = "app") {
    return rules.method({.origin = origin, .user = user, .database = database});
}

TEST(AccessRules, TakeTheFirstThatFits) {
    const AccessRules rules = rules_of({rule("local", "trust", {"postgres"}), rule("10.0.0.0/8", "reject", {"anna", "berta"}),
                                        rule("10.0.0.0/8", "scram-sha-256"), rule("all", "cert", {"all"}, {"app"})});
    EXPECT_EQ(method(rules, kSocket, "postgres"), AccessMethod::kTrust);
    EXPECT_EQ(method(rules, at("127.0.0.1"), "postgres"), AccessMethod::kTrust);
    EXPECT_EQ(method(rules, at("::1"), "postgres"), AccessMethod::kTrust);
    EXPECT_EQ(method(rules, at("10.1.2.3")), AccessMethod::kReject);
    EXPECT_EQ(method(rules, at("10.1.2.3"), "carla"), AccessMethod::kScram);
    EXPECT_EQ(method(rules, at("11.1.2.3"), "carla"), AccessMethod::kCert);
    EXPECT_EQ(method(rules, kSocket, "carla"), AccessMethod::kCert);
    EXPECT_EQ(method(rules, at("11.1.2.3"), "carla", "other"), std::nullopt);
}

TEST(AccessRules, CompareNetworksBitByBit) {
    const AccessRules rules = rules_of({rule("192.168.16.0/20", "trust"), rule("2001:db8::/33", "scram-sha-256"), rule("1.2.3.4/32", "peer")});
    EXPECT_EQ(method(rules, at("192.168.31.255")), AccessMethod::kTrust);
    EXPECT_EQ(method(rules, at("192.168.32.0")), std::nullopt);
    EXPECT_EQ(method(rules, at("192.168.15.255")), std::nullopt);
    EXPECT_EQ(method(rules, at("2001:db8:7fff::1")), AccessMethod::kScram);
    EXPECT_EQ(method(rules, at("2001:db8:8000::1")), std::nullopt);
    EXPECT_EQ(method(rules, at("1.2.3.4")), AccessMethod::kPeer);
    EXPECT_EQ(method(rules, at("1.2.3.5")), std::nullopt);
    EXPECT_EQ(method(rules_of({rule("0.0.0.0/0", "trust")}), at("9.9.9.9")), AccessMethod::kTrust);
    EXPECT_EQ(method(rules_of({rule("0.0.0.0/0", "trust")}), at("2001:db8::1")), std::nullopt);
}

TEST(AccessRules, KnowAUsersOwnDatabase) {
    const AccessRules rules = rules_of({rule("all", "trust", {"all"}, {"sameuser"})});
    EXPECT_EQ(method(rules, kSocket, "anna", "anna"), AccessMethod::kTrust);
    EXPECT_EQ(method(rules, kSocket, "anna", "app"), std::nullopt);
}

TEST(AccessRules, LetNobodyInWithoutARule) {
    EXPECT_EQ(method(rules_of({}), kSocket), std::nullopt);
    EXPECT_FALSE(AccessRules::make({rule("10.0.0.0/33", "trust")}));
    EXPECT_FALSE(AccessRules::make({rule("all", "md5")}));
}

TEST(AccessRules, SpeakAsPostgreSqlDoes) {
    const ClientOrigin origin = at("10.0.0.5");
    const std::string user = "anna";
    const std::string database = "app";
    EXPECT_EQ(no_entry({.origin = origin, .encrypted = true, .user = user, .database = database}, true).message,
              "pg_hba.conf rejects connection for host \"10.0.0.5\", user \"anna\", database \"app\", SSL encryption");
    EXPECT_EQ(no_entry({.origin = kSocket, .user = user, .database = database}, false).message,
              "no pg_hba.conf entry for host \"[local]\", user \"anna\", database \"app\", no encryption");
}

TEST(ClientSeats, BoundUsersAndDatabases) {
    ClientSeats seats;
    Live live;
    live.clients_per_user_max = 2;
    live.clients_per_database_max = 3;
    ClientSeats::Seat one = seats.take("anna", "app", live);
    std::vector<ClientSeats::Seat> kept;
    kept.push_back(seats.take("anna", "app", live));
    EXPECT_THROW(seats.take("anna", "other", live), PgError);
    kept.push_back(seats.take("berta", "app", live));
    EXPECT_THROW(seats.take("carla", "app", live), PgError);
    one = {};
    EXPECT_NO_THROW(kept.push_back(seats.take("anna", "app", live)));
    kept.clear();
    live.clients_per_user_max = 0;
    for (int i = 0; i < 3; ++i) kept.push_back(seats.take("anna", "app", live));
    EXPECT_THROW(seats.take("berta", "app", live), PgError);
}

}  // namespace
}  // namespace pgmosaic::coordinator

#include "cli/route.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

namespace pgmosaic::cli {
namespace {

using testing::ElementsAre;

boost::json::value table(const char* name, int oid) {
    return {{"oid", oid}, {"schema", "public"}, {"name", name}, {"kind", "r"}, {"placement", nullptr}, {"group", nullptr}, {"key", nullptr},
            {"columns", {{1, "id", 23, -1, 0, "integer", true, false, "", nullptr}, {2, "customer", 23, -1, 0, "integer", true, false, "", nullptr},
                         {3, "note", 25, -1, 100, "text", false, false, "", nullptr}}},
            {"unique", nullptr}, {"view", nullptr}};
}

boost::json::value document() {
    return {{"tables", boost::json::array{table("orders", 20001), table("items", 20002)}}, {"functions", nullptr}};
}

std::vector<std::string> plans(const std::vector<std::string>& statements, const RouteOptions& options) {
    boost::json::value proposed = document();
    EXPECT_TRUE(propose_placements(options, proposed));
    const auto catalog = planner::Catalog::from_json(boost::json::serialize(proposed), 1);
    std::vector<std::string> found;
    for (const auto& row : routes_of(statements, catalog.value()).rows) found.push_back(*row[0] + " " + *row[1] + " " + *row[2]);
    return found;
}

TEST(Route, CountsWhatGoesWhere) {
    const std::vector<std::string> statements{"SELECT * FROM orders WHERE customer = 7", "SELECT * FROM orders WHERE customer = 8",
                                              "SELECT count(*) FROM orders", "SELECT FROM FROM"};
    EXPECT_THAT(plans(statements, {.keys = {"orders=customer"}}), ElementsAre("route 2 50.0", "error 1 25.0", "scatter 1 25.0"));
}

TEST(Route, ComparesKeys) {
    const std::vector<std::string> join{"SELECT * FROM orders JOIN items USING (customer) WHERE customer = 3"};
    EXPECT_THAT(plans(join, {.keys = {"orders=customer", "items=customer"}}), ElementsAre("route 1 100.0"));
    EXPECT_THAT(plans(join, {.keys = {"orders=customer", "items=id"}}), ElementsAre("workbench 1 100.0"));
    EXPECT_THAT(plans(join, {.keys = {"orders=customer"}, .references = {"items"}}), ElementsAre("route 1 100.0"));
}

TEST(Route, NamesWhatIsNotThere) {
    boost::json::value catalog = document();
    EXPECT_EQ(propose_placements({.keys = {"order=id"}}, catalog).error().message, "table \"order\" does not exist");
    EXPECT_EQ(propose_placements({.keys = {"orders=custom"}}, catalog).error().message,
              "column \"custom\" of table \"orders\" does not exist");
    EXPECT_EQ(propose_placements({.keys = {"orders"}}, catalog).error().message, "\"orders\" names no key");
    EXPECT_EQ(propose_placements({.references = {"x.orders"}}, catalog).error().message, "table \"x.orders\" does not exist");
}

}  // namespace
}  // namespace pgmosaic::cli

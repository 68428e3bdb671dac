#include "coordinator/internal/explanation.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace pgmosaic::coordinator {
namespace {

namespace json = boost::json;

Explanation scatter() {
    return {.node = "Mosaic Scatter", .reason = "no condition on shard key \"id\"", .shards = {"s1", "s2"}, .statement = "SELECT\n1",
            .plans = {{.server = "s1", .rows = {"Seq Scan on t", "  Filter: (v = 1)"}, .ms = 1.25}}};
}

TEST(Explanation, StandsAboveTheServersPlans) {
    const std::vector<std::string> expected{"Mosaic Scatter",
                                            "  Reason: no condition on shard key \"id\"",
                                            "  Shards: s1, s2",
                                            "  Statement: SELECT 1",
                                            "  ->  on shard s1  (time=1.250 ms)",
                                            "        Seq Scan on t",
                                            "          Filter: (v = 1)"};
    EXPECT_EQ(text_of(scatter()), expected);
}

TEST(Explanation, SaysWhatWasRunAsAWhole) {
    const Explanation whole{.node = "Mosaic Insert by key", .rows = 3, .bytes = 40, .ms = 12.5};
    const std::vector<std::string> expected{"Mosaic Insert by key  (actual time=12.500 rows=3 bytes=40)", "Execution Time: 12.500 ms"};
    EXPECT_EQ(text_of(whole), expected);
}

TEST(Explanation, AsJsonHasTheServersPlansBelowIt) {
    Explanation explanation = scatter();
    explanation.plans[0].rows = {R"([{"Plan": {"Node Type": "Seq Scan", "Plan Rows": 5}, "Planning Time": 0.1}])"};
    const json::value read = json::parse(json_of(explanation));
    const json::object& plan = read.at(0).at("Plan").as_object();
    EXPECT_EQ(plan.at("Node Type"), "Mosaic Scatter");
    EXPECT_EQ(plan.at("Shards"), (json::array{"s1", "s2"}));
    const json::object& child = plan.at("Plans").at(0).as_object();
    EXPECT_EQ(child.at("Shard"), "s1");
    EXPECT_EQ(child.at("Node Type"), "Seq Scan");
    EXPECT_EQ(child.at("Plan Rows"), 5);
}

TEST(Explanation, RefusesAPlanThatIsNone) {
    Explanation explanation = scatter();
    for (const char* wrong : {"", "Seq Scan", "{}", "[1]"}) {
        explanation.plans[0].rows = {wrong};
        EXPECT_THROW(json_of(explanation), PgError) << wrong;
    }
}

}  // namespace
}  // namespace pgmosaic::coordinator

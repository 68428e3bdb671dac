#include "tests/unit/planner/fixture.h"

namespace pgmosaic::planner {
namespace {

using testing::PlannerTest;

class PlanCaching : public PlannerTest {
   protected:
    bool hit(const std::string& sql) {
        const std::uint64_t before = planner_.hits();
        planner_.plan(sql, environment_, planned_);
        return planner_.hits() > before;
    }
};

TEST_F(PlanCaching, ServesATextForEveryKey) {
    EXPECT_FALSE(hit("SELECT abalance FROM orders WHERE customer_id = 12345"));
    EXPECT_TRUE(hit("SELECT abalance FROM orders WHERE customer_id = 7"));
    EXPECT_EQ(planned_.literals[planned_.text->statements[0].route.keys[0][0].index].value, "7");
    EXPECT_FALSE(hit("SELECT abalance FROM orders WHERE customer_id = -7"));
    EXPECT_TRUE(hit("SELECT abalance FROM orders WHERE customer_id = -8"));
    EXPECT_TRUE(planned_.literals[0].negative);
}

TEST_F(PlanCaching, LetsFreeValuesVaryWhereTheTextGoesAsItCame) {
    EXPECT_FALSE(hit("UPDATE orders SET total = total + 5 WHERE customer_id = 1 AND note = 'a'"));
    EXPECT_TRUE(hit("UPDATE orders SET total = total + 77 WHERE customer_id = 2 AND note = 'bcd'"));
    EXPECT_FALSE(hit("INSERT INTO customers VALUES (1, 'a', 'b')"));
    EXPECT_TRUE(hit("INSERT INTO customers VALUES (2, 'c', 'd')"));
    EXPECT_EQ(keys("INSERT INTO customers VALUES (3, 'c', 'd')"), "3");
    EXPECT_FALSE(hit("SELECT * FROM settings WHERE k = 'a'"));
    EXPECT_TRUE(hit("SELECT * FROM settings WHERE k = 'b'"));
}

TEST_F(PlanCaching, ChecksThatAKeyIsCanonicalEachTime) {
    EXPECT_EQ(keys("SELECT * FROM visits WHERE day = '2024-01-31'"), "2024-01-31");
    EXPECT_NE(plan("SELECT * FROM visits WHERE day = 'today'").plan, PlanKind::kRoute);
    EXPECT_EQ(keys("SELECT * FROM visits WHERE day = '2024-02-01'"), "2024-02-01");
    EXPECT_NE(plan("SELECT * FROM orders WHERE customer_id = '5x'").plan, PlanKind::kRoute);
    EXPECT_EQ(keys("SELECT * FROM orders WHERE customer_id = '5'"), "5");
}

TEST_F(PlanCaching, KeepsLiteralsThatShapeThePlan) {
    EXPECT_FALSE(hit("SELECT set_config('a.b', 'x', false)"));
    EXPECT_FALSE(hit("SELECT set_config('a.b', 'y', false)"));
    EXPECT_EQ(planned_.text->statements[0].argument, "'y'");
    EXPECT_FALSE(hit("SELECT * FROM (SELECT customer_id, note FROM orders GROUP BY 1, 2) x WHERE customer_id = 5"));
    EXPECT_FALSE(hit("SELECT * FROM (SELECT customer_id, note FROM orders GROUP BY 2, 1) x WHERE customer_id = 5"));
    EXPECT_FALSE(hit("SELECT '1.25'::numeric(3,1)"));
    EXPECT_FALSE(hit("SELECT '1.25'::numeric(3,2)"));
    EXPECT_TRUE(hit("SELECT '1.75'::numeric(3,2)"));
    EXPECT_FALSE(hit("INSERT INTO customers VALUES (1, 'a'), (2, 'b')"));
    EXPECT_FALSE(hit("INSERT INTO customers VALUES (1, 'a'), (2, 'c')"));
    EXPECT_TRUE(hit("INSERT INTO customers VALUES (1, 'a'), (2, 'c')"));
}

TEST_F(PlanCaching, CachesSeveralStatementsAsAWhole) {
    EXPECT_FALSE(hit("SELECT 1; SELECT 2"));
    EXPECT_FALSE(hit("SELECT 1; SELECT 22"));
    EXPECT_TRUE(hit("SELECT 1; SELECT 22"));
    EXPECT_EQ(planned_.text->statements[1].length, 10U);
}

TEST_F(PlanCaching, TellsEnvironmentsApart) {
    EXPECT_FALSE(hit("SELECT 1"));
    ++environment_.fingerprint;
    EXPECT_FALSE(hit("SELECT 1"));
}

TEST_F(PlanCaching, ForgetsTheLeastRecentlyUsed) {
    Planner small(2);
    const auto planned = [&](const std::string& sql) {
        const std::uint64_t before = small.hits();
        small.plan(sql, environment_, planned_);
        return small.hits() > before;
    };
    EXPECT_FALSE(planned("SELECT 1 AS a"));
    EXPECT_FALSE(planned("SELECT 1 AS b"));
    EXPECT_TRUE(planned("SELECT 1 AS a"));
    EXPECT_FALSE(planned("SELECT 1 AS c"));
    EXPECT_TRUE(planned("SELECT 1 AS a"));
    EXPECT_FALSE(planned("SELECT 1 AS b"));
}

TEST_F(PlanCaching, ReadsBackslashesAsTheSessionSays) {
    environment_.standard_conforming_strings = false;
    ++environment_.fingerprint;
    const std::string sql = "SELECT 'a\\';b'; SELECT * FROM events WHERE tenant = '\\x41'; SELECT 'c'";
    planner_.plan(sql, environment_, planned_);
    ASSERT_FALSE(planned_.text->syntax_error) << planned_.text->syntax_error->message;
    const auto& statements = planned_.text->statements;
    ASSERT_EQ(statements.size(), 3U);
    std::vector<std::string> texts;
    for (const Statement& each : statements) texts.push_back(sql.substr(each.offset, each.length));
    EXPECT_THAT(texts, ::testing::ElementsAre("SELECT 'a\\';b'", " SELECT * FROM events WHERE tenant = '\\x41'", " SELECT 'c'"));
}

TEST_F(PlanCaching, KeepsTextsWithBackslashesApart) {
    environment_.standard_conforming_strings = false;
    ++environment_.fingerprint;
    for (const std::string value : {"\\x41", "\\x42"}) {
        planner_.plan("SELECT * FROM events WHERE tenant = '" + value + "'", environment_, planned_);
        const Route& route = planned_.text->statements.at(0).route;
        ASSERT_EQ(route.keys.size(), 1U);
        EXPECT_EQ(route.keys[0].at(0).constant.value, value == "\\x41" ? "A" : "B");
    }
}

}  // namespace
}  // namespace pgmosaic::planner

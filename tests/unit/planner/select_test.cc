#include "planner/internal/text_edits.h"
#include "planner/plan_details.h"
#include "tests/unit/planner/fixture.h"

namespace pgmosaic::planner {
namespace {

using testing::PlannerTest;
using ::testing::HasSubstr;
using ::testing::Not;

class Selects : public PlannerTest {};

TEST_F(Selects, OffsetWithoutLimitIsScattered) {
    const Statement& statement = plan("SELECT id FROM orders ORDER BY id DESC OFFSET 5");
    ASSERT_EQ(statement.plan, PlanKind::kScatter);
    EXPECT_THAT(statement.scatter->shard_sql, Not(HasSubstr("OFFSET")));
    EXPECT_EQ(plan("SELECT id FROM orders ORDER BY id OFFSET $1").plan, PlanKind::kScatter);
}

// Each reader of the WITH query would see its own shard's rows only.
TEST_F(Selects, WithQueryReadTwiceGoesToTheWorkbench) {
    EXPECT_EQ(plan("WITH w AS (SELECT * FROM orders) SELECT * FROM w").plan, PlanKind::kScatter);
    EXPECT_EQ(plan("WITH w AS (SELECT * FROM orders) SELECT 1 FROM w a JOIN w b ON a.id = b.id").plan, PlanKind::kWorkbench);
    EXPECT_EQ(plan("WITH w AS (SELECT * FROM orders) SELECT 1 FROM w WHERE total = (SELECT max(total) FROM w)").plan, PlanKind::kWorkbench);
    EXPECT_EQ(plan("WITH w AS (SELECT * FROM orders), v AS (SELECT * FROM w) SELECT 1 FROM v a JOIN v b ON a.id = b.id").plan,
              PlanKind::kWorkbench);
}

// Found by fuzzql (seed 41, extended): four shards gave the rows of the reference table four times.
TEST_F(Selects, WithQueryThatIsNotAskedDoesNotSpreadTheStatement) {
    EXPECT_NE(plan("WITH w AS (SELECT * FROM orders) SELECT id FROM products").plan, PlanKind::kScatter);
    EXPECT_NE(plan("WITH w AS (SELECT * FROM orders) SELECT count(*) FROM products").plan, PlanKind::kScatter);
    EXPECT_NE(plan("WITH w AS (SELECT * FROM orders) SELECT 1").plan, PlanKind::kScatter);
    EXPECT_EQ(plan("WITH w AS (SELECT * FROM products) SELECT orders.id FROM orders").plan, PlanKind::kScatter);
}

TEST_F(Selects, WorkbenchStatementIsTheClientsTextWithOtherNames) {
    const Statement& statement =
        plan("SELECT public.orders.id /* as it is */ FROM public . orders, products AS p WHERE total > (SELECT avg(total) FROM ONLY orders o)");
    ASSERT_EQ(statement.plan, PlanKind::kWorkbench) << statement.reason;
    EXPECT_THAT(statement.workbench->final_sql, HasSubstr("SELECT orders.id /* as it is */ FROM pg_temp.pull_"));
    EXPECT_THAT(statement.workbench->final_sql, HasSubstr(" AS orders, pg_temp.pull_"));
    EXPECT_THAT(statement.workbench->final_sql, HasSubstr(" AS p WHERE"));
}

TEST_F(Selects, WordsAroundASelectAreNotItsOwn) {
    const Statement& statement = plan("EXPLAIN SELECT count(*) FROM orders WHERE total > (SELECT avg(total) FROM orders)");
    ASSERT_TRUE(statement.workbench.has_value());
    EXPECT_EQ(statement.workbench->final_sql.substr(0, 6), "SELECT");
}

TEST_F(Selects, DataModifyingWithIsDoneOnTheShards) {
    const Statement& statement = plan("WITH m AS (UPDATE orders SET note = 'x' WHERE customer_id IN (1, 2, 3) RETURNING *) SELECT count(*) FROM m");
    ASSERT_EQ(statement.plan, PlanKind::kRoute);
    ASSERT_NE(statement.route.otherwise, nullptr);
    EXPECT_EQ(statement.route.otherwise->plan, PlanKind::kWorkbench);
    EXPECT_TRUE(statement.route.otherwise->writes);
    EXPECT_EQ(details_of(*statement.route.otherwise).written.size(), 1U);
}

TEST_F(Selects, RowsOfSeveralShardsAreLockedWhereTheyComeAsTheyAre) {
    const Statement& statement = plan("SELECT id FROM orders WHERE total > 5 ORDER BY id FOR UPDATE");
    EXPECT_EQ(statement.plan, PlanKind::kScatter);
    EXPECT_TRUE(statement.writes);
    EXPECT_THAT(refusal_of("SELECT o.id FROM orders o JOIN events e ON e.tenant = o.note FOR UPDATE"), HasSubstr("cannot lock rows"));
    EXPECT_THAT(refusal_of("SELECT id FROM orders LIMIT 1 FOR UPDATE SKIP LOCKED"), HasSubstr("SKIP LOCKED"));
}

std::string edited(std::string_view sql, const std::function<void(TextEdits&)>& edit) {
    TextEdits edits(sql, 0);
    edit(edits);
    return edits.result().value_or("given up");
}

TEST(TextEdits, ReplacesNamesAndNothingElse) {
    const auto relation = [](int location, const char* alias) {
        return [=](TextEdits& edits) { edits.replace_relation(location, "pg_temp.p", alias); };
    };
    EXPECT_EQ(edited("SELECT 'a' FROM a", relation(16, "a")), "SELECT 'a' FROM pg_temp.p AS a");
    EXPECT_EQ(edited("SELECT * FROM s . \"A\"\"b\" x ;", relation(14, "")), "SELECT * FROM pg_temp.p x ");
    EXPECT_EQ(edited("SELECT * FROM ONLY (a) JOIN b", relation(20, "a")), "SELECT * FROM pg_temp.p AS a JOIN b");
    EXPECT_EQ(edited("SELECT * FROM a * WHERE 1 * 2", relation(14, "a")), "SELECT * FROM pg_temp.p AS a WHERE 1 * 2");
    EXPECT_EQ(edited("TABLE a ORDER BY 1 -- x", relation(6, "a")), "SELECT * FROM pg_temp.p AS a ORDER BY 1");
    EXPECT_EQ(edited("SELECT * FROM U&\"a!0062\" UESCAPE '!'", relation(14, "ab")), "given up");
    EXPECT_EQ(edited("SELECT * FROM a", relation(13, "a")), "given up");
    EXPECT_EQ(edited("SELECT s.t.c, t.*", [](TextEdits& edits) { edits.drop_qualifiers(7, 3, 1); }), "SELECT t.c, t.*");
}

}  // namespace
}  // namespace pgmosaic::planner

// Calls of distributed functions, proved like sharded tables of one row.
#include "tests/unit/planner/fixture.h"

namespace pgmosaic::planner {
namespace {

using testing::PlannerTest;

constexpr const char* kTables[] = {"orders", "customers"};

class Calls : public PlannerTest {
   protected:
    Calls() {
        const auto spread_table = [](const char* name, int oid) {
            return testing::table({.name = name, .oid = oid, .placement = "s", .key = 1, .group = 1,
                                   .columns = {testing::column(1, "customer_id", 20, "bigint", true), testing::column(2, "total", 20, "bigint")}});
        };
        std::vector<std::string> tables;
        int oid = 1;
        for (const char* name : kTables) tables.push_back(spread_table(name, oid++));
        tables.push_back(testing::table({.name = "rates", .oid = 9, .placement = "r", .columns = {testing::column(1, "id", 20, "bigint")}}));
        const std::string id = testing::column(1, "id", 20, "bigint");
        use(Catalog::from_json(testing::catalog_text(tables, {
            R"js(["public","of_customer","f","v","plpgsql","SELECT FROM orders",2,["k",1,"customer",20,1,[)js" + id + "]]]",
            R"js(["public","everywhere","f","s","sql","SELECT FROM orders",0,["a",null,null,null,1,[)js" + id + "]]]",
            R"js(["public","anywhere","f","s","sql","SELECT FROM rates",0,["n",null,null,null,null,null]])js",
            R"js(["public","pay","p","v","plpgsql","UPDATE orders",2,["k",2,"customer",20,1,null]])js",
            R"js(["public","sweep","p","v","plpgsql","DELETE FROM orders",0,["a",null,null,null,1,null]])js",
            R"js(["public","twice","f","s","sql","SELECT FROM orders",1,["k",1,null,20,1,null]])js",
            R"js(["public","twice","f","s","sql","SELECT 1",1,null])js"}), 7).value());
    }
};

TEST_F(Calls, GoToTheShardOfTheirKey) {
    EXPECT_EQ(keys("SELECT of_customer(5, 1)"), "5");
    EXPECT_EQ(keys("SELECT * FROM of_customer(5, 1)"), "5");
    EXPECT_EQ(keys("SELECT * FROM of_customer(5, 1) AS x(n) WHERE n > 3 ORDER BY n LIMIT 2"), "5");
    EXPECT_EQ(keys("SELECT of_customer(total => 1, customer => 5)"), "5");
    EXPECT_EQ(keys("SELECT of_customer($1, $2)"), "$1");
    EXPECT_EQ(keys("SELECT of_customer(5, 1) FROM orders WHERE customer_id = 5"), "5 5");
    EXPECT_EQ(keys("WITH x AS (SELECT of_customer(5, 1) AS n) SELECT * FROM x"), "5");
    EXPECT_TRUE(plan("SELECT of_customer(5, 1)").writes);
    EXPECT_TRUE(plan("SELECT of_customer(5, 1)").runs_user_code);
}

TEST_F(Calls, AreMadeWhereTheRowsAreThatMakeThem) {
    EXPECT_EQ(plan("SELECT of_customer(customer_id, 1) FROM orders").plan, PlanKind::kScatter);
    EXPECT_EQ(plan("SELECT o.total, x.id FROM orders o, of_customer(o.customer_id, 2) x").plan, PlanKind::kScatter);
    EXPECT_EQ(plan("SELECT o.total FROM orders o JOIN customers c USING (customer_id) WHERE of_customer(o.customer_id, 2) > 1").plan, PlanKind::kScatter);
    EXPECT_EQ(plan("UPDATE orders SET total = of_customer(customer_id, 1) WHERE customer_id = 5").plan, PlanKind::kRoute);
    EXPECT_EQ(keys("UPDATE orders SET total = of_customer(5, 1) WHERE customer_id = 5"), "5 5");
}

TEST_F(Calls, WithoutAShardOfTheirOwnAreRefused) {
    for (const char* sql : {"SELECT of_customer(total, 1) FROM orders", "SELECT of_customer(id, 1) FROM rates", "SELECT of_customer(2 + 3, 1)",
                            "SELECT of_customer(5, 1) FROM orders", "SELECT of_customer(NULL, 1)", "SELECT of_customer(total => 1)",
                            "SELECT 1 FROM orders o LEFT JOIN LATERAL of_customer(o.customer_id, 1) x ON true",
                            "UPDATE orders SET total = of_customer(5, 1)", "UPDATE orders SET total = of_customer(customer_id, 1)",
                            "INSERT INTO orders VALUES (1, of_customer(1, 2))", "DELETE FROM orders WHERE of_customer(7, 1) = 3",
                            "SELECT count(*) FROM everywhere() e JOIN orders o ON o.total = e.id", "SELECT * FROM everywhere() WITH ORDINALITY",
                            "SELECT twice(1)"}) {
        refusal_of(sql);
    }
    // Two keys may be of two shards; a parameter may turn out to be of a type whose values are not the key's.
    for (const char* sql : {"SELECT of_customer(5, 1), of_customer(6, 1)", "SELECT of_customer($1, 1)"}) {
        const Statement& statement = plan(sql);
        ASSERT_NE(statement.route.otherwise, nullptr) << sql;
        EXPECT_EQ(statement.route.otherwise->plan, PlanKind::kRefuse) << sql;
    }
}

TEST_F(Calls, RunOnAllShardsOnceEach) {
    EXPECT_EQ(plan("SELECT everywhere()").plan, PlanKind::kScatter);
    EXPECT_EQ(plan("SELECT * FROM everywhere()").plan, PlanKind::kScatter);
    const Statement& sorted = plan("SELECT * FROM everywhere() ORDER BY id DESC LIMIT 3");
    ASSERT_EQ(sorted.plan, PlanKind::kScatter);
    EXPECT_EQ(sorted.scatter->merge.mode, MergeSpec::Mode::kSorted);
    const Statement& counted = plan("SELECT count(*), max(id) FROM everywhere() e WHERE e.id > 2");
    ASSERT_EQ(counted.plan, PlanKind::kScatter);
    EXPECT_EQ(counted.scatter->merge.mode, MergeSpec::Mode::kAggregate);
}

TEST_F(Calls, RunOnAnyShard) {
    EXPECT_EQ(plan("SELECT anywhere()").route.where, Route::Where::kAny);
}

TEST_F(Calls, OfProcedures) {
    EXPECT_EQ(keys("CALL pay(100, 5)"), "5");
    EXPECT_EQ(keys("CALL pay(customer => 5, amount => 100)"), "5");
    EXPECT_EQ(keys("CALL pay($1, $2)"), "$2");
    EXPECT_EQ(plan("CALL sweep()").plan, PlanKind::kBroadcast);
    refusal_of("CALL pay(100, 5 + 6)");
    refusal_of("CALL pay(100, '05')");
}

}  // namespace
}  // namespace pgmosaic::planner

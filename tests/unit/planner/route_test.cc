#include "tests/unit/planner/fixture.h"

namespace pgmosaic::planner {
namespace {

using testing::PlannerTest;

class RouteProof : public PlannerTest {
   protected:
    bool multi(const std::string& sql) {
        const Statement& statement = plan(sql);
        return statement.plan != PlanKind::kRoute;
    }
};

TEST_F(RouteProof, FollowsAKeyEquality) {
    EXPECT_EQ(keys("SELECT * FROM orders WHERE customer_id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM orders WHERE 5 = customer_id AND note = 'x'"), "5");
    EXPECT_EQ(keys("SELECT * FROM orders o WHERE o.customer_id = -7"), "-7");
    EXPECT_EQ(keys("SELECT * FROM public.orders WHERE public.orders.customer_id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM orders WHERE customer_id = '5'"), "5");
    EXPECT_EQ(keys("SELECT * FROM orders WHERE customer_id = 5::bigint"), "5");
    EXPECT_EQ(keys("SELECT * FROM orders WHERE customer_id = $1"), "$1");
    EXPECT_EQ(keys("SELECT * FROM orders WHERE (customer_id, id) = (5, 6)"), "5");
    EXPECT_EQ(keys("SELECT * FROM events WHERE tenant = 'it''s'"), "it's");
    EXPECT_EQ(keys("SELECT * FROM visits WHERE day = '2024-01-31'"), "2024-01-31");
    EXPECT_EQ(keys("SELECT * FROM visits WHERE day = date '2024-01-31'"), "2024-01-31");
    EXPECT_EQ(keys("SELECT count(*), sum(total) FROM orders WHERE customer_id = 5 GROUP BY note ORDER BY 1 LIMIT 3"), "5");
}

TEST_F(RouteProof, TakesAlternatives) {
    EXPECT_EQ(keys("SELECT * FROM orders WHERE customer_id IN (1, 2, 3)"), "1|2|3");
    EXPECT_EQ(keys("SELECT * FROM orders WHERE customer_id = 1 OR customer_id = 2"), "1|2");
    EXPECT_EQ(keys("SELECT * FROM orders WHERE (customer_id = 1 AND note = 'a') OR (customer_id = 2 AND note = 'b')"), "1|2");
    EXPECT_EQ(keys("SELECT * FROM orders WHERE customer_id = ANY (ARRAY[1, 2])"), "1|2");
    EXPECT_NE(plan("SELECT * FROM orders WHERE customer_id IN (1, 2)").route.otherwise, nullptr);
    EXPECT_EQ(plan("SELECT * FROM orders WHERE customer_id = 1").route.otherwise, nullptr);
}

TEST_F(RouteProof, WantsMoreThanThis) {
    for (const char* sql : {"SELECT * FROM orders", "SELECT * FROM orders WHERE customer_id > 5", "SELECT * FROM orders WHERE NOT customer_id = 5",
                            "SELECT * FROM orders WHERE customer_id = 5 OR note = 'x'", "SELECT * FROM orders WHERE customer_id <> 5",
                            "SELECT * FROM orders WHERE id = 5", "SELECT * FROM orders WHERE customer_id + 0 = 5",
                            "SELECT * FROM orders WHERE customer_id = NULL", "SELECT * FROM orders WHERE customer_id = 5.0",
                            "SELECT * FROM orders WHERE customer_id IN (1, NULL)", "SELECT * FROM orders WHERE customer_id IN (1, 2 + 3)",
                            "SELECT * FROM orders WHERE customer_id IS NOT DISTINCT FROM 5"}) {
        EXPECT_TRUE(multi(sql)) << sql;
    }
}

TEST_F(RouteProof, ReadsKeysInCanonicalFormOnly) {
    for (const char* sql : {"SELECT * FROM orders WHERE customer_id = ' 5'", "SELECT * FROM orders WHERE customer_id = '05'",
                            "SELECT * FROM visits WHERE day = 'today'", "SELECT * FROM visits WHERE day = '31.01.2024'",
                            "SELECT * FROM visits WHERE day = '2024-01-31 10:00'::timestamp", "SELECT * FROM events WHERE tenant = 'x' COLLATE \"C\"",
                            "SELECT * FROM events WHERE tenant = 'abc'::varchar(2)", "SELECT * FROM events WHERE tenant = 'ab '::char(3)"}) {
        EXPECT_TRUE(multi(sql)) << sql;
    }
}

TEST_F(RouteProof, CarriesAKeyThroughJoins) {
    EXPECT_EQ(keys("SELECT * FROM orders o JOIN lines l ON l.customer_id = o.customer_id AND l.order_id = o.id WHERE o.customer_id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM orders o, lines l, customers c WHERE c.id = o.customer_id AND l.customer_id = c.id AND l.customer_id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM orders JOIN lines USING (customer_id) WHERE customer_id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM orders NATURAL JOIN lines WHERE customer_id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM orders o JOIN products p ON p.id = o.id WHERE o.customer_id = 5"), "5");
}

TEST_F(RouteProof, KnowsWhichSideOfAnOuterJoinIsBound) {
    EXPECT_EQ(keys("SELECT * FROM customers c LEFT JOIN orders o ON o.customer_id = c.id WHERE c.id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM orders o RIGHT JOIN customers c ON o.customer_id = c.id WHERE c.id = 5"), "5");
    // A constant on the key in ON binds the nullable side only.
    EXPECT_TRUE(multi("SELECT * FROM customers c LEFT JOIN orders o ON o.customer_id = c.id AND c.id = 5"));
    EXPECT_TRUE(multi("SELECT * FROM customers c LEFT JOIN orders o ON o.customer_id = 5"));
    EXPECT_TRUE(multi("SELECT * FROM customers c FULL JOIN orders o ON o.customer_id = c.id WHERE c.id = 5"));
    EXPECT_TRUE(multi("SELECT * FROM customers c LEFT JOIN orders o USING (id) WHERE id = 5"));
}

TEST_F(RouteProof, KeepsEveryKeyOfUnjoinedTables) {
    // PROTOCOLS 5.6: right only if both hash to the same shard, so both are told, and what to do otherwise.
    EXPECT_EQ(keys("SELECT * FROM orders a, customers b WHERE a.customer_id = 5 AND b.id = 6"), "5 6");
    EXPECT_NE(planned().text->statements[0].route.otherwise, nullptr);
    EXPECT_EQ(keys("SELECT * FROM orders WHERE customer_id = 5 AND customer_id = 6").size(), 1U);
    EXPECT_TRUE(multi("SELECT * FROM orders o, events e WHERE o.customer_id = 5 AND e.tenant = '5'"));
}

TEST_F(RouteProof, LooksIntoSubQueries) {
    EXPECT_EQ(keys("SELECT * FROM (SELECT * FROM orders) o WHERE o.customer_id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM (SELECT customer_id AS k, sum(total) FROM orders GROUP BY customer_id) o WHERE k = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM (SELECT customer_id AS k, sum(total) FROM orders GROUP BY 1) o WHERE k = 5"), "5");
    EXPECT_EQ(keys("WITH o AS (SELECT * FROM orders WHERE customer_id = 5) SELECT * FROM o a, o b"), "5");
    EXPECT_EQ(keys("WITH o AS (SELECT * FROM orders) SELECT * FROM o WHERE customer_id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM customers c WHERE id = 5 AND EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)"), "5");
    EXPECT_EQ(keys("SELECT *, (SELECT sum(total) FROM orders o WHERE o.customer_id = c.id) FROM customers c WHERE id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM customers c, LATERAL (SELECT * FROM orders o WHERE o.customer_id = c.id LIMIT 1) x WHERE c.id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM orders WHERE customer_id = 5 UNION ALL SELECT * FROM orders WHERE customer_id = 5"), "5 5");
    EXPECT_EQ(keys("SELECT * FROM (SELECT customer_id FROM orders UNION SELECT customer_id FROM lines) x WHERE customer_id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM orders o JOIN (SELECT 5 AS k) x ON o.customer_id = x.k"), "5");
    EXPECT_EQ(keys("SELECT * FROM customers WHERE id = 5 AND id IN (SELECT customer_id FROM orders)"), "5");
}

TEST_F(RouteProof, PushesNoFilterBelowLimitsAggregatesAndWindows) {
    for (const char* sql : {"SELECT * FROM (SELECT * FROM orders LIMIT 10) o WHERE customer_id = 5",
                            "SELECT * FROM (SELECT max(customer_id) AS k FROM orders) o WHERE k = 5",
                            "SELECT * FROM (SELECT customer_id, row_number() OVER () FROM orders) o WHERE customer_id = 5",
                            "SELECT * FROM (SELECT DISTINCT ON (note) * FROM orders) o WHERE customer_id = 5",
                            "SELECT * FROM (SELECT customer_id FROM orders OFFSET 3) o WHERE customer_id = 5",
                            "SELECT * FROM (SELECT id AS customer_id FROM orders) o WHERE customer_id = 5",
                            "SELECT * FROM customers WHERE id = 5 AND id NOT IN (SELECT customer_id FROM orders)",
                            "SELECT * FROM customers WHERE id = 5 AND name = (SELECT max(note) FROM orders)",
                            "SELECT * FROM (SELECT customer_id FROM orders GROUP BY ROLLUP (customer_id)) o WHERE customer_id = 5",
                            "WITH o AS (SELECT * FROM orders) SELECT * FROM o a, o b WHERE a.customer_id = 5"}) {
        EXPECT_TRUE(multi(sql)) << sql;
    }
}

TEST_F(RouteProof, LooksThroughViewsAndSendsTheirNames) {
    EXPECT_EQ(keys("SELECT * FROM big_orders WHERE customer_id = 5"), "5");
    EXPECT_EQ(keys("SELECT * FROM big_orders b JOIN customers c ON b.customer_id = c.id WHERE c.id = 5"), "5");
    EXPECT_TRUE(multi("SELECT * FROM last_orders WHERE customer_id = 5"));
    EXPECT_EQ(plan("SELECT * FROM price_list").route.where, Route::Where::kAny);
}

TEST_F(RouteProof, ProvesNothingByOperatorsThatAUserMayHaveMade) {
    use(testing::shop_with_operators());
    EXPECT_EQ(keys("SELECT * FROM orders WHERE customer_id = 5"), "5");
    environment_.search_path = {"public", "pg_catalog"};
    ++environment_.fingerprint;
    EXPECT_TRUE(multi("SELECT * FROM orders WHERE customer_id = 5"));
}

TEST_F(RouteProof, SendsTheRestHomeOrAnywhere) {
    EXPECT_EQ(plan("SELECT 1").route.where, Route::Where::kHome);
    EXPECT_EQ(plan("SELECT * FROM settings JOIN products ON true").route.where, Route::Where::kHome);
    EXPECT_EQ(plan("SELECT * FROM products JOIN currencies ON true").route.where, Route::Where::kAny);
    EXPECT_EQ(plan("SELECT random() FROM products").route.where, Route::Where::kHome);
    EXPECT_EQ(plan("SELECT * FROM products FOR UPDATE").route.where, Route::Where::kHome);
    EXPECT_EQ(plan("SELECT * FROM pg_class").route.where, Route::Where::kHome);
    EXPECT_EQ(plan("INSERT INTO settings SELECT name, 'x' FROM products").route.where, Route::Where::kHome);
}

TEST_F(RouteProof, WantsTheHomeShardWhereLocalTablesTakePart) {
    const Statement& statement = plan("SELECT * FROM orders, settings WHERE customer_id = 5");
    EXPECT_EQ(statement.plan, PlanKind::kRoute);
    EXPECT_TRUE(statement.route.needs_home);
    EXPECT_NE(statement.route.otherwise, nullptr);
}

TEST_F(RouteProof, TellsReadsFromWrites) {
    EXPECT_FALSE(plan("SELECT * FROM orders WHERE customer_id = 5").writes);
    EXPECT_FALSE(plan("SELECT now()").writes);
    EXPECT_TRUE(plan("SELECT nextval('x')").writes);
    EXPECT_TRUE(plan("SELECT * FROM settings FOR SHARE").writes);
    EXPECT_TRUE(plan("WITH x AS (DELETE FROM settings RETURNING *) SELECT * FROM x").writes);
    EXPECT_TRUE(plan("SELECT note_it()").writes);
    EXPECT_TRUE(plan("SELECT pg_advisory_lock(1)").pins);
    EXPECT_EQ(plan("SELECT $2::int, $1::int").parameters, 2U);
}

TEST_F(RouteProof, RefusesCodeThatWouldSeeAPart) {
    // PROTOCOLS 5.2: a function on one shard counts that shard's rows.
    EXPECT_NE(refusal_of("SELECT my_report()"), "");
    EXPECT_NE(refusal_of("SELECT dynamic()"), "");
    EXPECT_NE(refusal_of("SELECT calls_report()"), "");
    EXPECT_NE(refusal_of("SELECT query_to_xml('SELECT 1', true, true, '')"), "");
    EXPECT_EQ(plan("SELECT note_it(), slug('X'), uuid_generate_v4()").plan, PlanKind::kRoute);
    EXPECT_TRUE(plan("SELECT my_report() FROM orders WHERE customer_id = 5").runs_user_code);
    EXPECT_NE(refusal_of("SELECT my_report() FROM orders"), "");
    EXPECT_NE(refusal_of("SELECT nextval('s') FROM orders WHERE customer_id = 5"), "");
    EXPECT_EQ(keys("SELECT * FROM orders WHERE customer_id = 5 FOR UPDATE"), "5");
}

}  // namespace
}  // namespace pgmosaic::planner

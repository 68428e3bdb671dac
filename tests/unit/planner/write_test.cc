#include "planner/plan_details.h"
#include "tests/unit/planner/fixture.h"

namespace pgmosaic::planner {
namespace {

using testing::PlannerTest;

class Writes : public PlannerTest {
   protected:
    std::string rendered(const std::string& sql, const std::vector<std::size_t>& rows, const std::vector<std::string>& fills = {}) {
        const Statement& statement = plan(sql);
        EXPECT_EQ(statement.plan, PlanKind::kInsert) << sql << ": " << statement.reason << refusal(statement);
        if (!statement.insert) return {};
        EXPECT_EQ(statement.insert->fills, fills.size()) << statement.insert->fill_sql;
        const std::unique_ptr<bool[]> nulls(new bool[fills.size() + 1]());
        return render_insert(*statement.insert, rows, fills, {nulls.get(), fills.size()});
    }
    /// What is said of a query's rows; empty if the plan is none for them.
    const InsertSelect& rows_of(const std::string& sql) {
        static const InsertSelect none;
        const Statement& statement = plan(sql);
        EXPECT_TRUE(gathers(statement)) << sql << ": " << statement.reason << refusal(statement);
        return gathers(statement) ? details_of(statement).rows : none;
    }
    /// The tables that are written through the workbench, and how: `orders: update, delete; lines: insert`.
    std::string written(const std::string& sql) {
        const Statement& statement = plan(sql);
        EXPECT_EQ(statement.plan, PlanKind::kWorkbench) << sql << ": " << statement.reason << refusal(statement);
        std::string text;
        for (const WrittenTable& table : details_of(statement).written) {
            std::string actions;
            for (const auto& [does, name] : {std::pair{table.inserts, ", insert"}, {table.updates, ", update"}, {table.deletes, ", delete"}, {table.moves, ", move"}}) {
                if (does) actions += name;
            }
            text += (text.empty() ? "" : "; ") + table.qualified.substr(table.qualified.find('.') + 1) + ": " + actions.substr(2);
        }
        return text;
    }
    static bool gathers(const Statement& statement) { return statement.plan == PlanKind::kInsert && details_of(statement).selects; }
    static std::string refusal(const Statement& statement) { return statement.refusal ? statement.refusal->message : ""; }
};

TEST_F(Writes, RouteARowByItsKey) {
    EXPECT_EQ(keys("INSERT INTO customers (id, name) VALUES (5, 'x')"), "5");
    EXPECT_EQ(keys("INSERT INTO customers VALUES ($1, $2, $3) RETURNING id"), "$1");
    EXPECT_TRUE(planned().text->statements[0].returns_rows);
    EXPECT_EQ(keys("INSERT INTO lines SELECT 5, 6, 7, 8"), "5");
    EXPECT_EQ(keys("INSERT INTO lines SELECT customer_id, id, 1, 1 FROM orders WHERE customer_id = 5"), "not a route by key");
    EXPECT_EQ(keys("INSERT INTO lines SELECT 5, id, 1, 1 FROM orders WHERE customer_id = 6"), "5 6");
    EXPECT_EQ(plan("INSERT INTO lines SELECT 5, id, 1, 1 FROM orders WHERE customer_id = 6").route.otherwise->plan, PlanKind::kInsert);
    EXPECT_EQ(keys("UPDATE orders SET note = 'x' WHERE customer_id = 5"), "5");
    EXPECT_EQ(keys("DELETE FROM orders WHERE customer_id = 5 AND id = 6"), "5");
    EXPECT_EQ(keys("UPDATE orders o SET note = c.name FROM customers c WHERE c.id = o.customer_id AND c.id = 5"), "5");
}

TEST_F(Writes, SpreadTheRowsOfAnInsert) {
    EXPECT_EQ(rendered("INSERT INTO customers AS c (id, name) VALUES (1, 'a, b'), (2, f(1, 2)), (-3, NULL) ON CONFLICT (id) DO NOTHING RETURNING *", {2, 0}),
              "INSERT INTO customers AS c (id, name) VALUES (-3, NULL), (1, 'a, b') ON CONFLICT (id) DO NOTHING RETURNING *");
    const InsertRows& insert = *planned().text->statements[0].insert;
    ASSERT_EQ(insert.keys.size(), 3U);
    EXPECT_EQ(planned().literals[insert.keys[0].value.index].value, "1");
    EXPECT_TRUE(planned().literals[insert.keys[2].value.index].negative);
}

TEST_F(Writes, FillSequencesOnTheHomeShard) {
    EXPECT_EQ(rendered("INSERT INTO orders (customer_id, note) VALUES (5, 'x')", {0}, {"17"}),
              "INSERT INTO orders (customer_id, note, id) VALUES (5, 'x', '17')");
    EXPECT_EQ(planned().text->statements[0].insert->fill_sql,
              "SELECT CAST((nextval('public.orders_id_seq'::regclass)) AS bigint)::pg_catalog.text");
    EXPECT_EQ(rendered("INSERT INTO orders VALUES (DEFAULT, 5), (7, 6)", {0, 1}, {"17"}),
              "INSERT INTO orders (id, customer_id, created) VALUES ('17', 5, (SELECT TIMESTAMPTZ '\x01transaction\x01' AS now)), "
              "(7, 6, (SELECT TIMESTAMPTZ '\x01transaction\x01' AS now))");
    EXPECT_EQ(rendered("INSERT INTO events (tenant) VALUES ('a')", {0}, {"3"}),
              "INSERT INTO events (tenant, id) OVERRIDING SYSTEM VALUE VALUES ('a', '3')");
    EXPECT_EQ(rendered("INSERT INTO orders (id, customer_id) VALUES (nextval('x'), 5)", {0}, {"9"}),
              "INSERT INTO orders (id, customer_id) VALUES ('9', 5)");
}

TEST_F(Writes, ComputeKeysBeforeRouting) {
    EXPECT_EQ(rendered("INSERT INTO customers (id) VALUES (1 + 1), ('07')", {0, 1}, {"2", "7"}), "INSERT INTO customers (id) VALUES ('2'), ('7')");
    EXPECT_TRUE(planned().text->statements[0].insert->keys[1].from_fill);
    EXPECT_EQ(rendered("INSERT INTO visits (day) VALUES ('today')", {0}, {"2024-02-03"}), "INSERT INTO visits (day) VALUES ('2024-02-03')");
    EXPECT_EQ(rows_of("INSERT INTO customers (id) VALUES ($1 + 1)").source_sql, "VALUES ($1 + 1)");
}

TEST_F(Writes, RefuseARowWithoutKey) {
    // Where the column is NOT NULL any shard says what PostgreSQL says, with the row in its DETAIL.
    EXPECT_EQ(plan("INSERT INTO customers (name) VALUES ('x')").plan, PlanKind::kRoute);
    EXPECT_EQ(plan("INSERT INTO customers (id) VALUES (NULL)").plan, PlanKind::kRoute);
    EXPECT_EQ(rendered("INSERT INTO customers (name) VALUES ('x'), ('y')", {1}), "INSERT INTO customers (name, id) VALUES ('y', NULL)");
    EXPECT_EQ(plan("INSERT INTO visits (n) VALUES (1)").refusal->code, sqlstate::kNullValueNotAllowed);
    EXPECT_EQ(plan("INSERT INTO visits (day) VALUES ($1)").plan, PlanKind::kInsert);
    EXPECT_EQ(plan("INSERT INTO events (tenant, id) VALUES ('a', 5)").refusal->code.view(), "428C9");
    EXPECT_EQ(keys("INSERT INTO events (tenant, id) OVERRIDING SYSTEM VALUE VALUES ('a', 5)"), "a");
}

TEST_F(Writes, KeepTheKeyOfARow) {
    EXPECT_EQ(written("UPDATE orders SET (customer_id, note) = (6, 'x') WHERE customer_id = 5"), "orders: update, move");
    EXPECT_EQ(written("MERGE INTO customers c USING products p ON c.id = p.id AND c.id = 5 WHEN MATCHED THEN UPDATE SET id = 6"), "customers: update, move");
    EXPECT_EQ(keys("UPDATE orders SET customer_id = 5 WHERE customer_id = 5"), "5");
    EXPECT_NE(refusal_of("UPDATE big_orders SET customer_id = 6 WHERE customer_id = 5"), "");
    EXPECT_EQ(keys("UPDATE big_orders SET total = 6 WHERE customer_id = 5"), "5");
    EXPECT_NE(refusal_of("INSERT INTO customers VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET id = 2"), "");
    EXPECT_EQ(keys("INSERT INTO customers VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET name = excluded.name"), "1");
    EXPECT_NE(refusal_of("INSERT INTO customers VALUES (1, 'a') ON CONFLICT (email) DO NOTHING"), "");
}

TEST_F(Writes, MoveARowWhoseKeyChanges) {
    const InsertSelect& made = rows_of("UPDATE orders o SET customer_id = o.customer_id + $1, note = DEFAULT WHERE id < 9 RETURNING o.id, note");
    EXPECT_EQ(made.source_sql, "DELETE FROM orders o WHERE id < 9 RETURNING o.id, o.customer_id + $1, o.total, NULL::text, o.created");
    EXPECT_EQ(made.head, "INSERT INTO orders AS o");
    EXPECT_EQ(made.tail, "RETURNING o.id, note");
    EXPECT_EQ(made.verb, "UPDATE");
    EXPECT_EQ(made.key, 1U);
    EXPECT_EQ(made.targets.size(), 5U);
    EXPECT_EQ(rows_of("UPDATE orders SET customer_id = 6 WHERE customer_id = 5").tail, "");
}

TEST_F(Writes, GoToSeveralShardsWhereEachCanDoItsPart) {
    const Statement& update = plan("UPDATE orders SET note = 'x' WHERE note = 'y' RETURNING id, *");
    EXPECT_EQ(update.plan, PlanKind::kScatter);
    EXPECT_TRUE(update.scatter->shard_sql.empty());
    EXPECT_EQ(update.scatter->merge.visible, 6);
    EXPECT_EQ(plan("DELETE FROM orders USING customers c WHERE c.id = customer_id AND c.name = 'x'").plan, PlanKind::kScatter);
    EXPECT_EQ(plan("DELETE FROM orders WHERE EXISTS (SELECT 1 FROM lines l WHERE l.customer_id = orders.customer_id)").plan, PlanKind::kScatter);
    EXPECT_EQ(plan("UPDATE orders SET note = p.name FROM products p WHERE p.id = orders.id").plan, PlanKind::kScatter);
    EXPECT_EQ(plan("UPDATE orders SET note = random()::text").plan, PlanKind::kScatter);
    EXPECT_EQ(plan("INSERT INTO lines SELECT customer_id, id, 1, 1 FROM orders").plan, PlanKind::kScatter);
    EXPECT_EQ(plan("INSERT INTO lines SELECT customer_id, max(id), 1, 1 FROM orders GROUP BY customer_id").plan, PlanKind::kScatter);
    EXPECT_EQ(plan("INSERT INTO lines SELECT c.id, o.id, 1, 1 FROM customers c JOIN orders o ON o.customer_id = c.id").plan, PlanKind::kScatter);
    const Statement& some = *plan("DELETE FROM orders WHERE customer_id IN (1, 2)").route.otherwise;
    EXPECT_EQ(some.plan, PlanKind::kScatter);
    ASSERT_EQ(some.scatter->prune.size(), 1U);
    EXPECT_EQ(some.scatter->prune[0].size(), 2U);
}

TEST_F(Writes, RunOnTheWorkbenchWhereAShardWouldSeeAPart) {
    EXPECT_EQ(written("UPDATE orders SET note = (SELECT max(name) FROM customers)"), "orders: update");
    EXPECT_EQ(written("DELETE FROM orders WHERE id IN (SELECT order_id FROM lines)"), "orders: delete");
    EXPECT_EQ(written("UPDATE orders SET note = s.v FROM settings s WHERE s.k = note"), "orders: update");
    EXPECT_EQ(written("UPDATE settings SET v = note FROM orders"), "settings: update");
    EXPECT_EQ(written("UPDATE products SET name = note FROM orders WHERE orders.id = products.id"), "products: update");
    EXPECT_EQ(written("MERGE INTO customers c USING products p ON c.id = p.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (p.id, p.name)"),
              "customers: insert, delete");
    EXPECT_EQ(written("WITH d AS (DELETE FROM orders RETURNING *) SELECT * FROM d"), "orders: delete");
    EXPECT_EQ(written("WITH d AS (DELETE FROM orders RETURNING *), i AS (INSERT INTO lines SELECT customer_id, id, 1, 1 FROM d) UPDATE products SET price = 1"),
              "orders: delete; products: update; lines: insert");
    EXPECT_EQ(written("WITH o AS (INSERT INTO orders (customer_id) VALUES (7), (8) RETURNING id), l AS (INSERT INTO lines SELECT 7, id FROM o) INSERT INTO customers SELECT id, 'x' FROM o"),
              "orders: insert; lines: insert; customers: insert");
    EXPECT_EQ(written("UPDATE orders SET customer_id = l.order_id FROM lines l WHERE l.qty = orders.id"), "orders: update, move");
    EXPECT_EQ(written("WITH m AS (UPDATE products SET price = 1 RETURNING *) SELECT count(*) FROM m"), "products: update");
    EXPECT_TRUE(planned().text->statements[0].writes);
}

TEST_F(Writes, LockAndPullWhatTheyMayChange) {
    written("UPDATE orders o SET note = l.qty::text FROM lines l WHERE l.order_id = o.id AND o.total > 5 AND l.qty < 7");
    const Statement& update = planned().text->statements[0];
    const WrittenTable& orders = details_of(update).written.at(0);
    EXPECT_EQ(orders.pull_sql, "SELECT $shard$::pg_catalog.int4, o.tableoid, o.ctid, o.id, o.total FROM public.orders AS o WHERE (o.total > 5) FOR NO KEY UPDATE OF o");
    EXPECT_EQ(orders.pulled_columns, "\"pgm$shard\", \"pgm$table\", \"pgm$row\", id, total");
    ASSERT_EQ(update.workbench->pulls.size(), 1U);
    EXPECT_EQ(update.workbench->pulls[0].shard_sql, "SELECT order_id, qty FROM public.lines AS l WHERE (l.qty < 7)");
    EXPECT_EQ(update.workbench->final_sql.substr(0, 44), "UPDATE pg_temp." + orders.name + " o SET note = l.qty::te");
    // A key that others may refer to; the row as a whole, because it may move; a reference table's rows by their key.
    written("WITH d AS (DELETE FROM customers WHERE id IN (1, 2) AND EXISTS (SELECT FROM settings)) UPDATE products SET id = 5 FROM lines WHERE order_id = products.id");
    const std::vector<WrittenTable>& both = details_of(planned().text->statements[0]).written;
    ASSERT_EQ(both.size(), 2U);
    const WrittenTable& customers = both[0].deletes ? both[0] : both[1];
    const WrittenTable& products = both[0].deletes ? both[1] : both[0];
    EXPECT_NE(customers.pull_sql.find("FOR UPDATE OF customers"), std::string::npos);
    EXPECT_EQ(customers.prune.size(), 1U);
    EXPECT_NE(products.pull_sql.find("SELECT products.id, products.id FROM public.products AS products FOR UPDATE"), std::string::npos) << products.pull_sql;
    EXPECT_EQ(products.identity.at(0).column, "id");
}

TEST_F(Writes, TakeDefaultsOfTheHomeShardToTheWorkbench) {
    written("WITH i AS (INSERT INTO orders (customer_id) SELECT order_id FROM lines RETURNING *) SELECT * FROM i");
    const WrittenTable& orders = details_of(planned().text->statements[0]).written.at(0);
    EXPECT_EQ(orders.columns.at(0).fill, "nextval('public.orders_id_seq'::regclass)");
    EXPECT_EQ(orders.pull_sql, "");
    written("WITH i AS (INSERT INTO orders (customer_id, id) SELECT order_id, 5 FROM lines RETURNING *) SELECT * FROM i");
    EXPECT_EQ(details_of(planned().text->statements[0]).written.at(0).columns.at(0).fill, "");
}

TEST_F(Writes, AreRefusedWhereTheWorkbenchWouldNotKnow) {
    for (const char* sql : {"UPDATE orders SET id = nextval('x')", "UPDATE orders SET note = my_report()", "UPDATE orders SET note = 'x' WHERE CURRENT OF c",
                            "UPDATE big_orders SET total = 1 FROM lines WHERE order_id = big_orders.id",
                            "WITH d AS (SELECT 1 FROM orders FOR UPDATE) DELETE FROM orders USING lines WHERE order_id = orders.id"}) {
        EXPECT_NE(refusal_of(sql), "") << sql;
    }
}

TEST_F(Writes, SelectRowsOnceWhereNoShardCanAnswerAlone) {
    for (const char* sql : {"INSERT INTO lines SELECT customer_id, id, 1, 1 FROM orders LIMIT 5", "INSERT INTO lines SELECT id, id, 1, 1 FROM orders",
                            "INSERT INTO lines SELECT max(customer_id), 1, 1, 1 FROM orders", "INSERT INTO settings SELECT note, note FROM orders",
                            "INSERT INTO products SELECT id, note FROM orders WHERE customer_id = 5", "INSERT INTO customers SELECT * FROM slug('x')",
                            "INSERT INTO lines SELECT o.customer_id, o.id, 1, 1 FROM customers c LEFT JOIN orders o ON o.customer_id = c.id",
                            "INSERT INTO customers VALUES (1, (SELECT max(note) FROM orders))", "INSERT INTO customers SELECT g, 'x' FROM generate_series(1, 9) g"}) {
        EXPECT_TRUE(gathers(plan(sql))) << sql << ": " << plan(sql).reason;
    }
}

TEST_F(Writes, GiveTheRowsOfAQueryWhatEachNeeds) {
    const InsertSelect& made = rows_of("WITH a AS (SELECT 7 AS x) INSERT INTO orders AS o (customer_id, note) SELECT x, 'n' FROM a "
                                     "ON CONFLICT (customer_id, id) DO UPDATE SET note = excluded.note RETURNING o.id");
    EXPECT_EQ(made.source_sql, "WITH a AS (SELECT 7 AS x) SELECT x, 'n' FROM a");
    EXPECT_EQ(made.head, "INSERT INTO orders AS o");
    EXPECT_EQ(made.tail, " ON CONFLICT (customer_id, id) DO UPDATE SET note = excluded.note RETURNING o.id");
    EXPECT_TRUE(made.at_once);
    EXPECT_EQ(made.key, 0U);
    ASSERT_EQ(made.targets.size(), 5U);
    EXPECT_EQ(made.targets[0].name, "customer_id");
    EXPECT_EQ(made.targets[0].fill, "");
    EXPECT_EQ(made.targets[2].name, "id");
    EXPECT_EQ(made.targets[2].fill, "nextval('public.orders_id_seq'::regclass)");
    EXPECT_EQ(made.targets[3].fill, "");
    const InsertSelect& events = rows_of("INSERT INTO events (tenant, day) SELECT 't' || g, now() FROM generate_series(1, 3) g");
    EXPECT_EQ(events.overriding, "OVERRIDING SYSTEM VALUE");
    const InsertSelect& copies = rows_of("INSERT INTO products SELECT id, note FROM orders RETURNING id");
    EXPECT_EQ(copies.tail, " RETURNING id, name, price, changed, id");
    EXPECT_EQ(copies.copied.size(), 4U);
}

TEST_F(Writes, TakeRowsThatAnotherWriteGivesBack) {
    EXPECT_EQ(rows_of("WITH d AS (DELETE FROM orders WHERE id < 5 RETURNING *) INSERT INTO lines SELECT customer_id, d.id, 1, 1 FROM d").source_sql,
              "DELETE FROM orders WHERE id < 5 RETURNING customer_id, id, 1, 1");
    EXPECT_EQ(rows_of("WITH d AS (UPDATE orders SET note = 'x' RETURNING id AS a, note) INSERT INTO settings SELECT note, x.a FROM d x").source_sql,
              "UPDATE orders SET note = 'x' RETURNING note, id AS a");
    EXPECT_EQ(rows_of("WITH d AS (DELETE FROM settings RETURNING k, v) INSERT INTO customers (id, name) SELECT * FROM d RETURNING id").source_sql,
              "DELETE FROM settings RETURNING k, v");
}

TEST_F(Writes, MoveRowsBetweenTablesOfOneKey) {
    EXPECT_EQ(keys("WITH d AS (DELETE FROM orders WHERE customer_id = 5 RETURNING *) SELECT * FROM d"), "5");
    EXPECT_EQ(keys("MERGE INTO customers c USING (SELECT 5::bigint AS id, 'x' AS name) s ON c.id = s.id AND c.id = 5 "
                   "WHEN MATCHED THEN UPDATE SET name = s.name WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name)"), "5");
    EXPECT_EQ(written("WITH d AS (DELETE FROM orders RETURNING *) INSERT INTO lines SELECT max(id), 1 FROM d"), "orders: delete; lines: insert");
}

TEST_F(Writes, OfReferenceTablesGoThroughTheLeader) {
    const Statement& insert = plan("INSERT INTO products (id, name) VALUES (1, 'x') RETURNING id");
    EXPECT_EQ(insert.plan, PlanKind::kReferenceWrite);
    EXPECT_TRUE(insert.reference->rows_from_leader);
    EXPECT_EQ(insert.reference->leader_sql, "INSERT INTO products (id, name) VALUES (1, 'x') RETURNING id, name, price, changed, id");
    EXPECT_EQ(insert.reference->copy_sql, "INSERT INTO public.products (id, name, price, changed) OVERRIDING SYSTEM VALUE VALUES");
    EXPECT_EQ(insert.reference->lock_sql, "LOCK TABLE public.products IN SHARE ROW EXCLUSIVE MODE");
    const Statement& update = plan("UPDATE products SET price = price * 2 WHERE id = 5");
    EXPECT_EQ(update.plan, PlanKind::kReferenceWrite);
    EXPECT_FALSE(update.reference->rows_from_leader);
    EXPECT_EQ(plan("DELETE FROM products WHERE id IN (SELECT p.id FROM products p JOIN currencies c ON c.rate = p.price)").plan, PlanKind::kReferenceWrite);
    EXPECT_EQ(plan("INSERT INTO currencies VALUES ('EUR', 1) ON CONFLICT (code) DO UPDATE SET rate = excluded.rate").plan, PlanKind::kReferenceWrite);
}

TEST_F(Writes, OfReferenceTablesAreComputedOnceWhereCopiesWouldDiffer) {
    // PROTOCOLS 1.11: other values on each copy would make them drift apart for ever.
    for (const char* sql : {"UPDATE products SET price = random()", "UPDATE products SET changed = now()", "DELETE FROM products WHERE changed < current_timestamp",
                            "UPDATE products SET name = (SELECT v FROM settings LIMIT 1)", "UPDATE products SET price = 1 WHERE id = (SELECT id FROM products p LIMIT 1)",
                            "MERGE INTO products p USING currencies c ON c.code = p.name WHEN MATCHED THEN DELETE"}) {
        EXPECT_EQ(written(sql).substr(0, 9), "products:") << sql;
    }
    EXPECT_EQ(written("INSERT INTO products VALUES (1) ON CONFLICT (id) DO UPDATE SET price = 1"), "products: insert, update");
}

TEST_F(Writes, MeetConflictsOnTheWorkbench) {
    EXPECT_EQ(written("WITH i AS (INSERT INTO customers SELECT order_id, 'x' FROM lines ON CONFLICT (id) DO NOTHING RETURNING id) SELECT id FROM i"), "customers: insert");
    const WrittenTable customers = details_of(planned().text->statements[0]).written.at(0);
    EXPECT_TRUE(customers.conflicts);
    EXPECT_EQ(customers.pull_sql, "SELECT $shard$::pg_catalog.int4, tableoid, ctid, id, name, email FROM public.customers FOR KEY SHARE");
    EXPECT_EQ(customers.key_names, std::vector<std::string>{"id"});
    EXPECT_THAT(customers.definition, ::testing::HasSubstr(", UNIQUE (id)"));
    EXPECT_EQ(written("INSERT INTO customers VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET name = (SELECT max(note) FROM orders)"), "customers: insert, update");
    EXPECT_NE(refusal_of("WITH i AS (INSERT INTO customers SELECT order_id, 'x' FROM lines ON CONFLICT ON CONSTRAINT c DO NOTHING RETURNING id) SELECT id FROM i"), "");
}

}  // namespace
}  // namespace pgmosaic::planner

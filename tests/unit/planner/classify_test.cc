#include "planner/plan_details.h"
#include "tests/unit/planner/fixture.h"

namespace pgmosaic::planner {
namespace {

using testing::PlannerTest;

class Classification : public PlannerTest {};

TEST_F(Classification, TakesTransactionControlApart) {
    EXPECT_EQ(plan("BEGIN").verb, TransactionVerb::kBegin);
    const Statement& begin = plan("START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE");
    EXPECT_EQ(begin.verb, TransactionVerb::kBegin);
    EXPECT_EQ(begin.argument, "ISOLATION LEVEL REPEATABLE READ, READ ONLY, NOT DEFERRABLE");
    EXPECT_EQ(begin.plan, PlanKind::kLocal);
    EXPECT_TRUE(plan("COMMIT AND CHAIN").chain);
    EXPECT_EQ(plan("ABORT").verb, TransactionVerb::kRollback);
    EXPECT_EQ(plan("SAVEPOINT \"A b\"").name, "A b");
    EXPECT_EQ(plan("ROLLBACK TO a").verb, TransactionVerb::kRollbackTo);
    EXPECT_EQ(plan("RELEASE a").verb, TransactionVerb::kRelease);
    EXPECT_EQ(plan("END").verb, TransactionVerb::kCommit);
    EXPECT_EQ(plan("PREPARE TRANSACTION 'x'").verb, TransactionVerb::kPrepareTransaction);
    EXPECT_EQ(plan("COMMIT PREPARED 'x'").name, "x");
}

TEST_F(Classification, TakesSettingsApart) {
    const Statement& set = plan("SET LOCAL search_path TO a, \"B c\"");
    EXPECT_EQ(set.command, Command::kSet);
    EXPECT_TRUE(set.local);
    EXPECT_EQ(set.name, "search_path");
    EXPECT_EQ(set.argument, "'a', 'B c'");
    EXPECT_EQ(plan("SET work_mem = 64").argument, "64");
    EXPECT_EQ(plan("SET x.y TO DEFAULT").argument, "");
    EXPECT_EQ(plan("SET TIME ZONE 'UTC'").name, "timezone");
    EXPECT_EQ(plan("RESET ALL").name, "all");
    EXPECT_EQ(plan("RESET work_mem").command, Command::kReset);
    EXPECT_EQ(plan("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE").argument, "ISOLATION LEVEL SERIALIZABLE");
    EXPECT_EQ(plan("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY").name, "SESSION CHARACTERISTICS");
    EXPECT_EQ(plan("DISCARD ALL").command, Command::kDiscard);
    const Statement& function = plan("SELECT set_config('app.tenant', 'it''s', false)");
    EXPECT_EQ(function.command, Command::kSet);
    EXPECT_EQ(function.argument, "'it''s'");
    EXPECT_TRUE(function.returns_rows);
    EXPECT_EQ(plan("SELECT set_config('app.tenant', k, false) FROM settings").plan, PlanKind::kRoute);
}

TEST_F(Classification, AnswersShowOfOursItself) {
    EXPECT_EQ(plan("SHOW POOLS").plan, PlanKind::kAdmin);
    EXPECT_EQ(plan("SHOW pools").name, "POOLS");
    EXPECT_EQ(plan("SHOW mosaic.read_from").plan, PlanKind::kLocal);
    EXPECT_EQ(plan("SHOW work_mem").plan, PlanKind::kRoute);
}

TEST_F(Classification, TakesPreparedStatementsAndCursorsApart) {
    const Statement& prepare = plan("PREPARE q(int, numeric(10,2)) AS SELECT * FROM orders WHERE customer_id = $1");
    EXPECT_EQ(prepare.command, Command::kPrepare);
    EXPECT_EQ(prepare.argument, "SELECT * FROM orders WHERE customer_id = $1");
    EXPECT_THAT(prepare.type_names, ::testing::ElementsAre("int", "numeric(10,2)"));
    EXPECT_EQ(prepare.parameters, 0U);
    EXPECT_THAT(plan("EXECUTE q(1, f(2, 3), 'a,b')").arguments, ::testing::ElementsAre("1", "f(2, 3)", "'a,b'"));
    EXPECT_TRUE(plan("EXECUTE q").arguments.empty());
    EXPECT_EQ(plan("DEALLOCATE ALL").name, "");
    const Statement& cursor = plan("DECLARE c CURSOR WITH HOLD FOR SELECT * FROM settings");
    EXPECT_EQ(cursor.command, Command::kDeclare);
    EXPECT_EQ(cursor.argument, "SELECT * FROM settings");
    EXPECT_TRUE(cursor.pins);
    EXPECT_EQ(plan("FETCH 10 FROM c").name, "c");
    EXPECT_EQ(plan("MOVE NEXT IN c").argument, "MOVE");
    EXPECT_EQ(plan("CLOSE ALL").command, Command::kClose);
    EXPECT_EQ(plan("LISTEN x").command, Command::kListen);
    EXPECT_FALSE(plan("LISTEN x").pins);  // pgmosaic listens for all
    EXPECT_EQ(plan("NOTIFY x, 'y'").argument, "y");
    EXPECT_TRUE(plan("NOTIFY x").notifies);
    EXPECT_TRUE(plan("SELECT pg_notify('x', 'y')").notifies);
    EXPECT_EQ(plan("SELECT pg_notify('x', order_id::text) FROM orders").plan, PlanKind::kRefuse);
    EXPECT_EQ(plan("SELECT pg_catalog.pg_export_snapshot()").command, Command::kExportSnapshot);
    EXPECT_EQ(plan("SELECT * FROM pg_listening_channels()").command, Command::kListening);
    EXPECT_EQ(plan("SET TRANSACTION SNAPSHOT '1:2-3'").argument, "1:2-3");
    EXPECT_TRUE(plan("SELECT pg_advisory_unlock(1)").unlocks);
    EXPECT_FALSE(plan("SELECT pg_advisory_lock(1)").runs_user_code);
    EXPECT_EQ(plan("SHOW idle_in_transaction_session_timeout").plan, PlanKind::kLocal);
}

TEST_F(Classification, ExplainsThePlanOfItsStatement) {
    const Statement& route = plan("EXPLAIN SELECT * FROM orders WHERE customer_id = 5");
    EXPECT_EQ(route.command, Command::kExplain);
    EXPECT_EQ(route.plan, PlanKind::kRoute);
    EXPECT_FALSE(route.writes);
    EXPECT_EQ(plan("EXPLAIN (ANALYZE, COSTS off) DELETE FROM orders WHERE customer_id = 5").argument,
              "DELETE FROM orders WHERE customer_id = 5");
    EXPECT_TRUE(planned().text->statements[0].writes);
    EXPECT_TRUE(planned().text->statements[0].force);
}

TEST_F(Classification, SendsDefinitionsToAllShards) {
    for (const char* sql : {"CREATE TABLE t (a int)", "CREATE INDEX i ON orders (note)", "ALTER TABLE orders ADD COLUMN x int",
                            "DROP TABLE orders", "CREATE VIEW v AS SELECT * FROM orders", "CREATE TYPE e AS ENUM ('a')",
                            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE SCHEMA s", "CREATE SEQUENCE q",
                            "CREATE EXTENSION pgcrypto", "ALTER TABLE orders RENAME COLUMN note TO remark"}) {
        const Statement& statement = plan(sql);
        EXPECT_EQ(statement.plan, PlanKind::kBroadcast) << sql;
        EXPECT_TRUE(statement.changes_catalog) << sql;
        EXPECT_FALSE(statement.needs_no_transaction) << sql;
    }
    EXPECT_FALSE(plan("GRANT SELECT ON orders TO PUBLIC").changes_catalog);
    EXPECT_EQ(plan("CREATE ROLE r LOGIN").plan, PlanKind::kBroadcast);
    EXPECT_EQ(plan("TRUNCATE orders").plan, PlanKind::kBroadcast);
    EXPECT_EQ(plan("TRUNCATE settings").plan, PlanKind::kRoute);
}

TEST_F(Classification, KnowsWhatNeedsNoTransaction) {
    for (const char* sql : {"VACUUM", "VACUUM ANALYZE orders", "CREATE INDEX CONCURRENTLY i ON orders (note)", "DROP INDEX CONCURRENTLY i",
                            "REINDEX TABLE CONCURRENTLY orders", "REINDEX DATABASE app", "CREATE DATABASE d", "DROP DATABASE d WITH (FORCE)"}) {
        EXPECT_TRUE(plan(sql).needs_no_transaction) << sql;
    }
    EXPECT_FALSE(plan("ANALYZE orders").needs_no_transaction);
    EXPECT_TRUE(plan("DROP DATABASE d WITH (FORCE)").force);
    EXPECT_EQ(plan("CHECKPOINT").command, Command::kCheckpoint);
}

TEST_F(Classification, KeepsTemporaryTablesOnTheHomeShard) {
    for (const char* sql : {"CREATE TEMP TABLE t (a int)", "CREATE TEMP TABLE t AS SELECT * FROM settings",
                            "SELECT * INTO TEMP t FROM settings", "CREATE INDEX ON pg_temp.t (a)", "CREATE TEMP VIEW v AS SELECT 1"}) {
        const Statement& statement = plan(sql);
        EXPECT_EQ(statement.plan, PlanKind::kRoute) << sql;
        EXPECT_TRUE(statement.pins) << sql;
    }
}

TEST_F(Classification, RefusesWhatOneServerWouldDoAlone) {
    for (const char* sql : {"ALTER SYSTEM SET work_mem = 1", "CREATE TABLESPACE x LOCATION '/x'",
                            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", "COPY orders FROM '/tmp/x'", "COPY orders TO PROGRAM 'cat'",
                            "CREATE MATERIALIZED VIEW m AS SELECT * FROM orders"}) {
        EXPECT_NE(refusal_of(sql), "") << sql;
    }
}

TEST_F(Classification, LeavesTheFilesOfAServerToLocalTables) {
    for (const char* sql : {"COPY settings FROM '/tmp/x'", "COPY settings TO '/tmp/x'", "COPY (SELECT * FROM settings) TO '/tmp/x'"}) {
        EXPECT_EQ(plan(sql).plan, PlanKind::kRoute) << sql;
        EXPECT_EQ(plan(sql).route.where, Route::Where::kHome) << sql;
    }
    EXPECT_NE(refusal_of("COPY (SELECT * FROM orders) TO '/tmp/x'"), "");
}

TEST_F(Classification, LetsPostgresqlRefuseACursorThatMakesATable) {
    EXPECT_EQ(plan("DECLARE c CURSOR FOR SELECT 1 INTO t").plan, PlanKind::kRoute);
}

TEST_F(Classification, DropsElsewhereWhatIsThere) {
    EXPECT_EQ(details_of(plan("DROP TABLE orders, nowhere CASCADE")).elsewhere, "DROP TABLE IF EXISTS orders, nowhere CASCADE");
    EXPECT_FALSE(details_of(plan("DROP TABLE orders")).elsewhere_optional);
    EXPECT_TRUE(details_of(plan("DROP TABLE settings")).elsewhere_optional);
    EXPECT_TRUE(details_of(plan("ALTER TYPE mood ADD VALUE 'x'")).elsewhere_optional);
    EXPECT_FALSE(details_of(plan("ALTER TABLE lines ADD COLUMN x int")).elsewhere_optional);
}

TEST_F(Classification, LooksAfterLocalTablesAtHome) {
    for (const char* sql : {"VACUUM settings", "ANALYZE settings", "REINDEX TABLE settings", "CLUSTER settings", "REFRESH MATERIALIZED VIEW settings"}) {
        EXPECT_EQ(plan(sql).plan, PlanKind::kRoute) << sql;
    }
    for (const char* sql : {"VACUUM orders", "ANALYZE settings, orders", "REINDEX TABLE orders", "VACUUM"}) EXPECT_EQ(plan(sql).plan, PlanKind::kBroadcast) << sql;
}

TEST_F(Classification, MakesTablesOfQueriesOnTheHomeShardFirst) {
    for (const char* sql : {"CREATE TABLE t AS SELECT * FROM settings", "SELECT * INTO t FROM settings", "CREATE MATERIALIZED VIEW m AS SELECT * FROM settings",
                            "CREATE TABLE t AS SELECT * FROM orders WITH NO DATA"}) {
        const Statement& statement = plan(sql);
        EXPECT_EQ(statement.plan, PlanKind::kBroadcast) << sql;
        EXPECT_NE(details_of(statement).elsewhere_query, "") << sql;
        EXPECT_FALSE(details_of(statement).selects) << sql;
    }
    const Statement& filled = plan("CREATE TABLE s.t (a) AS SELECT note FROM orders");
    EXPECT_EQ(filled.rewritten, "CREATE TABLE s.t(a) AS SELECT note FROM orders WITH NO DATA");
    ASSERT_TRUE(details_of(filled).selects);
    EXPECT_EQ(details_of(filled).rows.head, "INSERT INTO s.t");
    EXPECT_EQ(details_of(filled).rows.source_sql, "SELECT note FROM orders");
}

TEST_F(Classification, CutsAQueryStringIntoStatements) {
    planner_.plan("BEGIN; SELECT 'a;b' ; COMMIT;", environment_, planned_);
    const auto& statements = planned_.text->statements;
    ASSERT_EQ(statements.size(), 3U);
    const std::string sql = "BEGIN; SELECT 'a;b' ; COMMIT;";
    EXPECT_EQ(sql.substr(statements[1].offset, statements[1].length), " SELECT 'a;b' ");
    planner_.plan("", environment_, planned_);
    EXPECT_TRUE(planned_.text->statements.empty());
    EXPECT_FALSE(planned_.text->syntax_error);
}

TEST_F(Classification, TellsSyntaxErrorsAsPostgresDoes) {
    planner_.plan("SELECT '\xc3\xa9', 1 FROM WHERE", environment_, planned_);
    ASSERT_TRUE(planned_.text->syntax_error);
    EXPECT_EQ(planned_.text->syntax_error->message, "syntax error at or near \"WHERE\"");
    EXPECT_EQ(planned_.text->syntax_error->code, sqlstate::kSyntaxError);
    EXPECT_EQ(planned_.text->syntax_error->position, 20);
}

TEST_F(Classification, SurvivesDeepNesting) {
    for (const auto& [head, part, tail, count] : std::initializer_list<std::tuple<std::string, std::string, std::string, int>>{
             {"SELECT 1", "+1", "", 5000}, {"SELECT 1", "+1", "", 200000}, {"SELECT ", "(", "", 100000}, {"SELECT ", "NOT ", "true", 3000},
             {"SELECT 1", " UNION SELECT 1", "", 2000}, {"SELECT ", "-", "1", 1000}}) {
        std::string sql = head;
        for (int i = 0; i < count; ++i) sql += part;
        planner_.plan(sql + tail, environment_, planned_);
        EXPECT_TRUE(planned_.text->syntax_error || planned_.text->statements.size() == 1) << head << part;
    }
}

TEST_F(Classification, ReadsCopyOptions) {
    const Statement& in = plan("COPY orders (id, customer_id, note) FROM STDIN WITH (FORMAT csv, HEADER, FREEZE)");
    EXPECT_EQ(in.plan, PlanKind::kCopyIn);
    ASSERT_TRUE(in.copy);
    EXPECT_EQ(in.copy->key_field, 1);
    EXPECT_EQ(in.copy->delimiter, ',');
    EXPECT_TRUE(in.copy->header);
    EXPECT_EQ(in.copy->shard_sql.find("FREEZE"), std::string::npos);
    EXPECT_EQ(plan("COPY orders TO STDOUT").plan, PlanKind::kCopyOut);
    EXPECT_EQ(plan("COPY orders TO STDOUT (DELIMITER '|', NULL '')").copy->delimiter, '|');
    EXPECT_EQ(plan("COPY (SELECT * FROM orders WHERE customer_id = 5) TO STDOUT").plan, PlanKind::kCopyOut);
    EXPECT_EQ(plan("COPY (SELECT * FROM settings) TO STDOUT").plan, PlanKind::kRoute);
    EXPECT_NE(refusal_of("COPY orders (id, note) FROM STDIN"), "");
}

TEST_F(Classification, TakesOurFunctions) {
    const Statement& call = plan("SELECT create_distributed_table('orders'::regclass, 'customer_id', colocate_with => 'none')");
    EXPECT_EQ(call.plan, PlanKind::kAdmin);
    ASSERT_TRUE(call.admin);
    ASSERT_EQ(call.admin->arguments.size(), 3U);
    EXPECT_EQ(call.admin->arguments[2].name, "colocate_with");
    EXPECT_EQ(call.admin->column_name, "create_distributed_table");
    EXPECT_EQ(plan("SELECT mosaic.failover($1) AS x").admin->column_name, "x");
    EXPECT_EQ(plan("SELECT failover('s1')").plan, PlanKind::kRoute);
    EXPECT_EQ(plan("SELECT * FROM run_command_on_shards('SELECT 1')").plan, PlanKind::kAdmin);
    EXPECT_NE(refusal_of("SELECT mosaic.failover('a' || 'b')"), "");
}

TEST_F(Classification, NamesTheViewsOfSchemaMosaic) {
    const Statement& statement = plan("SELECT s.name FROM mosaic.shards s JOIN mosaic.nodes USING (shard)");
    EXPECT_EQ(statement.plan, PlanKind::kRoute);
    EXPECT_THAT(statement.admin_views, ::testing::ElementsAre("shards", "nodes"));
    EXPECT_EQ(replace_admin_views("SELECT s.name, mosaic.nodes.port FROM mosaic.shards s, mosaic.nodes", {{"shards", "(SELECT 1 AS name)"}, {"nodes", "(SELECT 2 AS port)"}}),
              "SELECT s.name, nodes.port FROM (SELECT 1 AS name) s, (SELECT 2 AS port) nodes");
    EXPECT_NE(refusal_of("SELECT 1 FROM mosaic.shards, orders"), "");
}

TEST_F(Classification, JudgesBlocksByTheirWords) {
    EXPECT_EQ(plan("DO $$ BEGIN CREATE TYPE t AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL; END $$").plan, PlanKind::kBroadcast);
    EXPECT_EQ(plan("DO $$ BEGIN UPDATE settings SET v = 'x'; END $$").plan, PlanKind::kRoute);
    EXPECT_NE(refusal_of("DO $$ BEGIN UPDATE orders SET note = 'x'; END $$"), "");
    EXPECT_NE(refusal_of("DO $$ BEGIN EXECUTE 'SELECT 1'; END $$"), "");
}

TEST(Substitution, PutsArgumentsInPlaceOfParameters) {
    const std::vector<std::string> arguments{"5", "'$1'"}, types{"int"};
    EXPECT_EQ(substitute_parameters("SELECT $2, '$1', $1", arguments, types), "SELECT ('$1'), '$1', (5)::int");
    EXPECT_THROW(substitute_parameters("SELECT $1", arguments, {}), PgError);
}

}  // namespace
}  // namespace pgmosaic::planner

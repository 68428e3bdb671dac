#include "planner/plan_details.h"
#include "tests/unit/planner/fixture.h"

namespace pgmosaic::planner {
namespace {

using testing::PlannerTest;

class Definitions : public PlannerTest {};

TEST_F(Definitions, SayWhyAUniqueConstraintMustHoldTheKey) {
    const Statement& statement = plan("ALTER TABLE orders ADD UNIQUE (note)");
    ASSERT_EQ(statement.plan, PlanKind::kRefuse);
    EXPECT_EQ(statement.refusal->code, sqlstate::kFeatureNotSupported);
    EXPECT_EQ(statement.refusal->message, "unique constraint on \"orders\" must include the shard key");
    EXPECT_EQ(statement.refusal->detail, "Table \"orders\" is sharded by \"customer_id\"; the constraint covers only \"note\".");
    EXPECT_EQ(statement.refusal->hint, "Use UNIQUE (note, customer_id), or SELECT create_reference_table('orders').");
}

TEST_F(Definitions, KeepTheConstraintsThatShardsCanCheck) {
    for (const char* sql : {"ALTER TABLE orders ADD UNIQUE (note, customer_id)", "CREATE UNIQUE INDEX ON orders (customer_id, note)",
                            "ALTER TABLE lines ADD FOREIGN KEY (customer_id, order_id) REFERENCES orders (customer_id, id)",
                            "ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers",
                            "ALTER TABLE lines ADD FOREIGN KEY (product_id) REFERENCES products", "ALTER TABLE settings ADD FOREIGN KEY (v) REFERENCES currencies",
                            "ALTER TABLE orders ADD COLUMN x int DEFAULT 5", "ALTER TABLE settings ADD COLUMN x serial", "ALTER TABLE orders DROP COLUMN note",
                            "CREATE TABLE t (a int PRIMARY KEY, b int UNIQUE)"}) {
        EXPECT_EQ(plan(sql).plan, PlanKind::kBroadcast) << sql << ": " << (plan(sql).refusal ? plan(sql).refusal->message : "");
    }
}

TEST_F(Definitions, RefuseWhatWouldLowerSynchronousCommitUnseen) {
    for (const char* word : {"off", "local", "remote_write", "'off'", "false"}) {
        for (const char* whose : {"ROLE app", "ROLE ALL", "DATABASE app", "ROLE app IN DATABASE app"}) {
            const std::string sql = std::string("ALTER ") + whose + " SET synchronous_commit = " + word;
            EXPECT_NE(refusal_of(sql), "") << sql;
        }
    }
    for (const char* sql : {"ALTER ROLE app SET synchronous_commit = on", "ALTER DATABASE app SET synchronous_commit TO remote_apply",
                            "ALTER ROLE app RESET synchronous_commit", "ALTER ROLE app SET synchronous_commit TO DEFAULT",
                            "ALTER ROLE app SET work_mem = '8MB'"}) {
        EXPECT_EQ(plan(sql).plan, PlanKind::kBroadcast) << sql;
    }
}

TEST_F(Definitions, RefuseWhatNoShardCouldCheckAlone) {
    for (const char* sql : {"CREATE UNIQUE INDEX ON orders (note)", "CREATE UNIQUE INDEX ON orders (lower(note))", "ALTER TABLE orders DROP COLUMN customer_id",
                            "ALTER TABLE orders ALTER COLUMN customer_id TYPE int", "ALTER TABLE lines ADD FOREIGN KEY (order_id) REFERENCES orders (id)",
                            "ALTER TABLE orders ADD FOREIGN KEY (id) REFERENCES settings (k)", "ALTER TABLE settings ADD FOREIGN KEY (k) REFERENCES customers",
                            "ALTER TABLE products ADD FOREIGN KEY (id) REFERENCES customers", "ALTER TABLE orders ADD COLUMN x serial",
                            "ALTER TABLE products ADD COLUMN x uuid DEFAULT gen_random_uuid()", "ALTER TABLE orders ADD EXCLUDE (note WITH =)",
                            "CREATE RULE r AS ON INSERT TO orders DO NOTHING", "CREATE POLICY p ON orders USING (EXISTS (SELECT 1 FROM customers))",
                            "CREATE TABLE t (a int REFERENCES customers (id))", "ALTER TABLE orders ENABLE ALWAYS TRIGGER t"}) {
        EXPECT_NE(refusal_of(sql), "") << sql;
    }
}

TEST_F(Definitions, TakeTheShardKeyFromAnOption) {
    const Statement& statement = plan("CREATE TABLE t (a bigint, b text, PRIMARY KEY (a)) WITH (mosaic.key = 'a', fillfactor = 70, mosaic.colocate_with = 'orders')");
    ASSERT_EQ(statement.plan, PlanKind::kBroadcast) << statement.refusal->message;
    EXPECT_EQ(statement.rewritten.find("mosaic"), std::string::npos);
    EXPECT_NE(statement.rewritten.find("fillfactor"), std::string::npos) << statement.rewritten;
    ASSERT_TRUE(statement.then);
    EXPECT_EQ(statement.then->function, "create_distributed_table");
    ASSERT_EQ(statement.then->arguments.size(), 3U);
    EXPECT_EQ(statement.then->arguments[1].value.constant.value, "a");
    EXPECT_EQ(statement.then->arguments[2].value.constant.value, "orders");
    EXPECT_EQ(refusal_of("CREATE TABLE t (a int, b int PRIMARY KEY) WITH (mosaic.key = 'a')"), "primary key on \"t\" must include the shard key");
    EXPECT_EQ(plan("CREATE TABLE t (a int) WITH (mosaic.key = 'x')").refusal->code, sqlstate::kUndefinedColumn);
    EXPECT_NE(refusal_of("CREATE TABLE t (a int) WITH (mosaic.kye = 'a')"), "");
    EXPECT_NE(refusal_of("CREATE TEMP TABLE t (a int) WITH (mosaic.key = 'a')"), "");
}

TEST_F(Definitions, NoteWhereAPlainPasswordStands) {
    struct Case {
        const char* sql;
        const char* password;
        const char* constant;
    };
    for (const Case& each : {Case{"CREATE ROLE a LOGIN PASSWORD 'one'", "one", "'one'"}, Case{"ALTER USER a WITH ENCRYPTED PASSWORD E'o\\'ne' LOGIN", "o'ne", "E'o\\'ne'"},
                             Case{"SELECT 1; ALTER ROLE a /* 'x' */ PASSWORD $$two$$ VALID UNTIL 'infinity'", "two", "$$two$$"},
                             Case{"CREATE USER a PASSWORD U&'\\00fc'", "\u00fc", "U&'\\00fc'"}}) {
        planner_.plan(each.sql, environment_, planned_);
        const Statement& statement = planned_.text->statements.back();
        const PlanDetails& details = details_of(statement);
        EXPECT_EQ(details.password, each.password) << each.sql;
        const std::string own = std::string(each.sql).substr(statement.offset, statement.length);
        EXPECT_EQ(own.substr(details.password_begin, details.password_end - details.password_begin), each.constant) << each.sql;
    }
    for (const char* sql : {"CREATE ROLE a LOGIN", "ALTER ROLE a PASSWORD NULL", "ALTER ROLE a PASSWORD ''",
                            "ALTER ROLE a PASSWORD 'md5d8578edf8458ce06fbc5bb76a58c5ca4'", "ALTER ROLE a PASSWORD 'SCRAM-SHA-256$4096:x$y:z'"}) {
        EXPECT_EQ(details_of(plan(sql)).password, "") << sql;
    }
}

}  // namespace
}  // namespace pgmosaic::planner

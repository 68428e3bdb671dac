#include "coordinator/admin/table_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pgmosaic::coordinator {
namespace {

using testing::HasSubstr;

constexpr Oid kInt4 = 23;
constexpr Oid kFloat8 = 701;

TableFacts orders() {
    TableFacts table;
    table.schema = "public";
    table.name = "orders";
    table.owned = true;
    table.columns = {{.name = "customer_id", .type = kInt4, .type_name = "integer"},
                     {.name = "email", .type = 25, .type_name = "text"},
                     {.name = "weight", .type = kFloat8, .type_name = "double precision"}};
    return table;
}

Placed sharded(std::uint32_t group, std::string key) {
    return {.as = Placed::As::kSharded, .group = GroupId{group}, .key = std::move(key)};
}

TriggerFacts trigger(std::string source) {
    return {.name = "t", .table = "orders", .per_row = true, .before = true, .language = "plpgsql", .function = "f", .source = std::move(source)};
}

std::string message_of(const std::optional<Error>& error) {
    return error ? error->message + "|" + error->detail + "|" + error->hint : "";
}

TEST(TableChecks, APlainTableMayBeSharded) { EXPECT_EQ(message_of(why_not_sharded(orders(), "customer_id", std::nullopt)), ""); }

TEST(TableChecks, ForeignTablesAndThoseOfOthersAreRefusedAsPostgresqlWould) {
    TableFacts table = orders();
    table.owned = false;
    EXPECT_EQ(why_not_sharded(table, "customer_id", {})->code, sqlstate::kInsufficientPrivilege);
    table.kind = 'v';
    EXPECT_EQ(why_not_sharded(table, "customer_id", {})->code, sqlstate::kWrongObjectType);
    EXPECT_EQ(why_not_sharded(orders(), "nix", {})->code, sqlstate::kUndefinedColumn);
    EXPECT_EQ(why_not_sharded(orders(), "weight", {})->code, sqlstate::kFeatureNotSupported);
}

TEST(TableChecks, AUniqueConstraintWithoutTheKeyIsRefusedInTheContractsWords) {
    TableFacts table = orders();
    table.uniques = {{.name = "once", .table = "orders", .constraint = true, .columns = {"email"}}};
    const auto error = why_not_sharded(table, "customer_id", {});
    ASSERT_TRUE(error);
    EXPECT_EQ(error->message, "unique constraint on \"orders\" must include the shard key");
    EXPECT_EQ(error->detail, "Table \"orders\" is sharded by \"customer_id\"; the constraint covers only \"email\".");
    EXPECT_EQ(error->hint, "Use UNIQUE (email, customer_id), or SELECT create_reference_table('orders').");
    table.uniques[0].columns.emplace_back("customer_id");
    EXPECT_FALSE(why_not_sharded(table, "customer_id", {}));
}

TEST(TableChecks, AForeignKeyMustTieTheShardKeysOfOneGroup) {
    TableFacts table = orders();
    table.references = {{.name = "fk", .table = "customers", .placed = sharded(3, "id"), .columns = {"customer_id"}, .other_columns = {"id"}}};
    EXPECT_FALSE(why_not_sharded(table, "customer_id", GroupId{3}));
    EXPECT_THAT(message_of(why_not_sharded(table, "customer_id", GroupId{4})), HasSubstr("another group"));
    EXPECT_THAT(message_of(why_not_sharded(table, "customer_id", std::nullopt)), HasSubstr("another group"));
    table.references[0].other_columns = {"number"};
    EXPECT_THAT(message_of(why_not_sharded(table, "customer_id", GroupId{3})), HasSubstr("does not tie"));
    table.references[0].placed = {};
    EXPECT_THAT(message_of(why_not_sharded(table, "customer_id", GroupId{3})), HasSubstr("create_reference_table('customers')"));
    table.references[0].placed.as = Placed::As::kReference;
    EXPECT_FALSE(why_not_sharded(table, "customer_id", GroupId{3}));
}

TEST(TableChecks, AReferencingTableMustBeEmptyOrTogether) {
    TableFacts table = orders();
    table.referenced_by = {{.name = "fk", .table = "lines", .has_rows = true, .columns = {"customer_id"}, .other_columns = {"customer_id"}}};
    EXPECT_THAT(message_of(why_not_sharded(table, "customer_id", {})), HasSubstr("Drop the constraint"));
    table.referenced_by[0].has_rows = false;
    EXPECT_FALSE(why_not_sharded(table, "customer_id", {}));
    table.referenced_by[0].placed.as = Placed::As::kReference;
    EXPECT_TRUE(why_not_sharded(table, "customer_id", {}));
    EXPECT_FALSE(why_not_reference(table));
}

TEST(TableChecks, AReferenceTableRefersToReferenceTablesOnly) {
    TableFacts table = orders();
    table.references = {{.name = "fk", .table = "customers", .columns = {"customer_id"}, .other_columns = {"id"}}};
    EXPECT_THAT(message_of(why_not_reference(table)), HasSubstr("create_reference_table('customers')"));
    table.references[0].placed.as = Placed::As::kReference;
    EXPECT_FALSE(why_not_reference(table));
}

TEST(TableChecks, ATableGoesHomeOnlyIfNothingStaysTiedToIt) {
    TableFacts table = orders();
    EXPECT_EQ(why_not_local(table)->code, sqlstate::kInvalidTableDefinition);
    table.placed = sharded(1, "customer_id");
    EXPECT_FALSE(why_not_local(table));
    EXPECT_EQ(why_not_sharded(table, "customer_id", {})->code, sqlstate::kInvalidTableDefinition);
    table.referenced_by = {{.name = "fk", .table = "lines", .placed = sharded(1, "customer_id")}};
    EXPECT_THAT(message_of(why_not_local(table)), HasSubstr("Drop the constraint"));
}

TEST(TriggerWords, ABodyThatLooksAtTheRowOnlyIsHarmless) {
    EXPECT_FALSE(may_touch_tables(trigger("BEGIN NEW.v := lower(NEW.v); RETURN NEW; END"), {}));
    EXPECT_FALSE(may_touch_tables(trigger("BEGIN -- select\n IF NEW.a IS DISTINCT FROM OLD.a THEN NEW.at := now(); END IF; /* from */ RETURN NEW; END"), {}));
    EXPECT_FALSE(may_touch_tables(trigger("BEGIN RAISE EXCEPTION 'do not insert here'; END"), {}));
}

TEST(TriggerWords, WhateverMayReachATableCounts) {
    for (const char* body : {"BEGIN PERFORM 1; RETURN NEW; END", "BEGIN EXECUTE 'x'; END", "DECLARE n int := (SELECT 1); BEGIN END",
                             "BEGIN INSERT INTO log VALUES (1); RETURN NEW; END", "BEGIN NEW.id := nextval('s'); RETURN NEW; END",
                             "BEGIN NEW.v := mine(NEW.v); RETURN NEW; END", "BEGIN EXECUTE $x$ select $x$; END"}) {
        EXPECT_TRUE(may_touch_tables(trigger(body), {"mine"})) << body;
    }
    TriggerFacts other = trigger("");
    other.language = "plpython3u";
    EXPECT_TRUE(may_touch_tables(other, {}));
    other.built_in = true;
    EXPECT_FALSE(may_touch_tables(other, {}));
}

TEST(TriggerWords, AnAssignmentToTheKeyIsSeenAnAssignmentToOthersIsNot) {
    EXPECT_TRUE(may_change_column(trigger("BEGIN NEW.key := 1; END"), "key"));
    EXPECT_TRUE(may_change_column(trigger("BEGIN new . \"key\" = 1; END"), "key"));
    EXPECT_TRUE(may_change_column(trigger("BEGIN NEW := OLD; END"), "key"));
    EXPECT_FALSE(may_change_column(trigger("BEGIN NEW.v := NEW.key; END"), "key"));
}

TEST(TableFacts, ADocumentThatIsNoneIsAnError) {
    EXPECT_FALSE(table_facts_from_json("[]"));
    EXPECT_FALSE(table_facts_from_json("{\"oid\": 1}"));
    EXPECT_FALSE(table_facts_from_json("nonsense"));
}

}  // namespace
}  // namespace pgmosaic::coordinator

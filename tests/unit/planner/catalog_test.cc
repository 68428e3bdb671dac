#include "tests/unit/planner/fixture.h"

namespace pgmosaic::planner {
namespace {

using testing::column;
using testing::table;

TEST(CatalogSnapshot, ReadsPlacementsAndKeys) {
    const auto catalog = testing::shop();
    const Table* orders = catalog->find_table("", "orders", {"public"});
    ASSERT_NE(orders, nullptr);
    EXPECT_EQ(orders->placement, Placement::kSharded);
    EXPECT_EQ(orders->columns[static_cast<std::size_t>(orders->key)].name, "customer_id");
    EXPECT_TRUE(orders->columns[0].default_needs_home);
    EXPECT_TRUE(orders->columns[4].default_is_volatile);
    EXPECT_FALSE(orders->columns[4].default_needs_home);
    EXPECT_FALSE(orders->columns[2].default_is_volatile);
    EXPECT_EQ(catalog->find_table("", "products", {"public"})->placement, Placement::kReference);
    EXPECT_EQ(catalog->find_table("", "orders", {"other"}), nullptr);
    EXPECT_EQ(catalog->find_table("public", "orders", {}), orders);
    EXPECT_EQ(catalog->find_table(2), orders);
    EXPECT_TRUE(catalog->has_sharded_tables());
}

TEST(CatalogSnapshot, FindsTemporaryTablesFirstAndCatalogsBeforeOthers) {
    const auto catalog = Catalog::from_json(testing::catalog_text({
        table({.name = "t", .oid = 1, .columns = {column(1, "a", 23, "integer")}}),
        table({.name = "t", .oid = 2, .columns = {column(1, "b", 23, "integer")}, .more = R"(,"temporary":true)"}),
        table({.name = "pg_class", .oid = 3, .columns = {column(1, "b", 23, "integer")}, .more = R"(,"hidden":true)"})}), 1).value();
    EXPECT_EQ(catalog->find_table("", "t", {"public"})->oid, 2U);
    EXPECT_EQ(catalog->find_table("public", "t", {})->oid, 1U);
    EXPECT_EQ(catalog->find_table("", "pg_class", {"public"}), nullptr);
    EXPECT_EQ(catalog->find_table("public", "pg_class", {})->oid, 3U);
}

TEST(CatalogSnapshot, PlacesPartitionsWithTheirParent) {
    const auto catalog = Catalog::from_json(testing::catalog_text({
        table({.name = "child", .oid = 1, .columns = {column(1, "x", 23, "integer"), column(2, "k", 23, "integer")}, .more = R"(,"parents":[2])"}),
        table({.name = "parent", .oid = 2, .placement = "s", .key = 1, .group = 4, .columns = {column(1, "k", 23, "integer")}, .kind = "p"})}), 1).value();
    const Table* child = catalog->find_table(1);
    EXPECT_EQ(child->placement, Placement::kSharded);
    EXPECT_EQ(child->key, 1);
    EXPECT_EQ(child->group, GroupId{4});
}

TEST(CatalogSnapshot, JudgesFunctionsByWhatTheyReach) {
    const auto catalog = testing::shop();
    EXPECT_EQ(catalog->find_functions("my_report")[0]->reach, Reach::kUnknown);
    EXPECT_EQ(catalog->find_functions("dynamic")[0]->reach, Reach::kUnknown);
    EXPECT_EQ(catalog->find_functions("calls_report")[0]->reach, Reach::kUnknown);
    EXPECT_EQ(catalog->find_functions("note_it")[0]->reach, Reach::kHome);
    EXPECT_EQ(catalog->find_functions("uuid_generate_v4")[0]->reach, Reach::kNone);
    EXPECT_EQ(catalog->find_functions("slug")[0]->reach, Reach::kNone);
}

TEST(CatalogSnapshot, SaysWhatIsWrongWithADocument) {
    EXPECT_EQ(Catalog::from_json("{", 1).error().code, sqlstate::kInternalError);
    EXPECT_TRUE(Catalog::from_json("[]", 1).has_error());
    EXPECT_TRUE(Catalog::from_json(R"({"tables":[{"oid":"x"}],"functions":null})", 1).has_error());
}

TEST(Quoting, IsPostgresOwn) {
    EXPECT_EQ(quote_literal("it's"), "'it''s'");
    EXPECT_EQ(quote_literal("a\\b"), " E'a\\\\b'");
    EXPECT_EQ(quote_identifier("orders"), "orders");
    EXPECT_EQ(quote_identifier("Orders"), "\"Orders\"");
    EXPECT_EQ(quote_identifier("select"), "\"select\"");
    EXPECT_EQ(quote_identifier("a\"b"), "\"a\"\"b\"");
}

}  // namespace
}  // namespace pgmosaic::planner

#include "tests/unit/planner/fixture.h"

namespace pgmosaic::planner::testing {

namespace {

std::string joined(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
    return "[" + text + "]";
}

std::vector<std::string> shop_tables() {
    return {
        table({.name = "customers", .oid = 1, .placement = "s", .key = 1, .group = 1,
               .columns = {column(1, "id", 20, "bigint", true), column(2, "name", 25, "text"), column(3, "email", 25, "text")},
               .unique = "[[1]]"}),
        table({.name = "orders", .oid = 2, .placement = "s", .key = 2, .group = 1,
               .columns = {column(1, "id", 20, "bigint", true, "nextval('public.orders_id_seq'::regclass)"),
                           column(2, "customer_id", 20, "bigint", true), column(3, "total", 1700, "numeric", false, "0"),
                           column(4, "note", 25, "text"), column(5, "created", 1184, "timestamp with time zone", false, "now()")},
               .unique = "[[2,1]]"}),
        table({.name = "lines", .oid = 3, .placement = "s", .key = 1, .group = 1,
               .columns = {column(1, "customer_id", 20, "bigint", true), column(2, "order_id", 20, "bigint", true),
                           column(3, "product_id", 23, "integer"), column(4, "qty", 23, "integer")},
               .unique = "[[1,2,3]]"}),
        table({.name = "events", .oid = 4, .placement = "s", .key = 1, .group = 2,
               .columns = {column(1, "tenant", 25, "text", true),
                           column(2, "id", 20, "bigint", true, "nextval('public.events_id_seq'::regclass)", "a"),
                           column(3, "day", 1082, "date")}}),
        table({.name = "visits", .oid = 5, .placement = "s", .key = 1, .group = 3,
               .columns = {column(1, "day", 1082, "date"), column(2, "n", 23, "integer")}}),
        table({.name = "products", .oid = 6, .placement = "r",
               .columns = {column(1, "id", 23, "integer", true), column(2, "name", 25, "text"), column(3, "price", 1700, "numeric"),
                           column(4, "changed", 1184, "timestamp with time zone", false, "now()")},
               .unique = "[[1]]"}),
        table({.name = "currencies", .oid = 7, .placement = "r",
               .columns = {column(1, "code", 25, "text", true), column(2, "rate", 1700, "numeric")}, .unique = "[[1]]"}),
        table({.name = "settings", .oid = 8, .columns = {column(1, "k", 25, "text", true), column(2, "v", 25, "text")}, .unique = "[[1]]"}),
        table({.name = "big_orders", .oid = 9,
               .columns = {column(1, "id", 20, "bigint"), column(2, "customer_id", 20, "bigint"), column(3, "total", 1700, "numeric")},
               .kind = "v",
               .view = " SELECT orders.id, orders.customer_id, orders.total FROM public.orders WHERE (orders.total > (100)::numeric);"}),
        table({.name = "last_orders", .oid = 10, .columns = {column(1, "id", 20, "bigint"), column(2, "customer_id", 20, "bigint")},
               .kind = "v", .view = " SELECT orders.id, orders.customer_id FROM public.orders ORDER BY orders.id DESC LIMIT 10;"}),
        table({.name = "price_list", .oid = 11, .columns = {column(1, "id", 23, "integer"), column(2, "price", 1700, "numeric")},
               .kind = "v", .view = " SELECT products.id, products.price FROM public.products;"}),
    };
}

const std::vector<std::string> kFunctions = {
    R"js(["public","my_report","f","v","plpgsql","BEGIN RETURN (SELECT count(*) FROM orders); END"])js",
    R"js(["public","dynamic","f","v","plpgsql","BEGIN EXECUTE 'SELECT 1'; END"])js",
    R"js(["public","note_it","f","v","plpgsql","BEGIN INSERT INTO settings VALUES ('a', 'b'); END"])js",
    R"js(["public","calls_report","f","s","sql","SELECT my_report()"])js",
    R"js(["public","slug","f","i","sql","SELECT lower($1)"])js",
    R"js(["public","uuid_generate_v4","f","v","c",null])js",
};

}  // namespace

std::string column(int number, const std::string& name, int type, const std::string& type_name, bool not_null,
                   const std::string& default_expr, const std::string& identity) {
    const int collation = type == 25 || type == 1043 ? 100 : 0;
    return "[" + std::to_string(number) + ",\"" + name + "\"," + std::to_string(type) + ",-1," + std::to_string(collation) + ",\"" + type_name +
           "\"," + (not_null ? "true" : "false") + ",false,\"" + identity + "\"," +
           (default_expr.empty() ? "null" : "\"" + default_expr + "\"") + ",false]";
}

std::string table(const TableText& text) {
    const bool sharded = text.placement == "s";
    return R"({"oid":)" + std::to_string(text.oid) + R"(,"schema":"public","name":")" + text.name + R"(","kind":")" + text.kind +
           R"(","placement":)" + (text.placement.empty() ? "null" : "\"" + text.placement + "\"") + R"(,"group":)" +
           (sharded ? std::to_string(text.group) : "null") + R"(,"key":)" + (sharded ? std::to_string(text.key) : "null") +
           R"(,"columns":)" + joined(text.columns) + R"(,"unique":)" + text.unique + R"(,"view":)" +
           (text.view.empty() ? "null" : "\"" + text.view + "\"") + text.more + "}";
}

std::string catalog_text(const std::vector<std::string>& tables, const std::vector<std::string>& functions, bool operators) {
    return R"({"tables":)" + joined(tables) + R"(,"functions":)" + joined(functions) + R"(,"user_operators":)" +
           (operators ? "true" : "false") + "}";
}

std::shared_ptr<const Catalog> shop() {
    static const auto made = Catalog::from_json(catalog_text(shop_tables(), kFunctions), 1).value();
    return made;
}

std::shared_ptr<const Catalog> shop_with_operators() {
    static const auto made = Catalog::from_json(catalog_text(shop_tables(), kFunctions, true), 2).value();
    return made;
}

void PlannerTest::use(std::shared_ptr<const Catalog> catalog) {
    environment_.catalog = std::move(catalog);
    ++environment_.fingerprint;
}

const Statement& PlannerTest::plan(const std::string& sql) {
    static const Statement none;
    planner_.plan(sql, environment_, planned_);
    EXPECT_FALSE(planned_.text->syntax_error) << sql << ": " << planned_.text->syntax_error->message;
    EXPECT_EQ(planned_.text->statements.size(), 1U) << sql;
    return planned_.text->statements.empty() ? none : planned_.text->statements[0];
}

std::string PlannerTest::keys(const std::string& sql) {
    const Statement& statement = plan(sql);
    if (statement.plan != PlanKind::kRoute || statement.route.where != Route::Where::kKey) return "not a route by key";
    std::string text;
    for (const KeyAlternatives& alternatives : statement.route.keys) {
        if (!text.empty()) text += ' ';
        std::string one;
        for (const ValueRef& value : alternatives) {
            if (!one.empty()) one += '|';
            if (value.from == ValueRef::From::kParameter) one += "$" + std::to_string(value.index);
            else if (value.from == ValueRef::From::kConstant) one += "=" + value.constant.value;
            else one += (planned_.literals[value.index].negative ? "-" : "") + planned_.literals[value.index].value;
        }
        text += one;
    }
    return text;
}

std::string PlannerTest::refusal_of(const std::string& sql) {
    const Statement& statement = plan(sql);
    EXPECT_EQ(statement.plan, PlanKind::kRefuse) << sql << ": " << statement.reason;
    return statement.refusal ? statement.refusal->message : "";
}

}  // namespace pgmosaic::planner::testing

#include "tests/component/query_generator.h"

#include <algorithm>

namespace pgmosaic::testing {

namespace {

struct Table {
    const char* name;
    std::vector<std::string> columns;
    const char* key;  // nullptr: not sharded
};

// a and b are of one group; c has its own key; va, vb and vg are views; r is a reference table, l is local.
const std::vector<Table>& tables() {
    static const std::vector<Table> all{
        {"a", {"k", "x", "y"}, "k"}, {"a", {"k", "x", "y"}, "k"}, {"b", {"k", "x", "z"}, "k"}, {"b", {"k", "x", "z"}, "k"},
        {"c", {"j", "k", "x"}, "j"}, {"r", {"id", "x"}, nullptr}, {"l", {"id", "y"}, nullptr}, {"va", {"k", "x"}, "k"},
        {"vg", {"k", "n"}, "k"},     {"vj", {"k", "x", "z"}, "k"}};
    return all;
}

std::string list(const std::vector<std::string>& items, const char* between = ", ") {
    std::string text;
    for (const std::string& item : items) text += (text.empty() ? "" : between) + item;
    return text;
}

}  // namespace

std::string QueryGenerator::query() {
    names_ = 0;
    with_.clear();
    std::string with;
    for (int i = chance(25) ? 1 + below(2) : 0; i > 0; --i) {
        const Query made = select(1, 1 + below(3), {});
        const std::string name = new_name("w");
        const char* hint = chance(20) ? " MATERIALIZED" : chance(20) ? " NOT MATERIALIZED" : "";
        with += (with.empty() ? "WITH " : ", ") + name + " AS" + hint + " (" + made.sql + ")";
        with_.push_back({name, made.keys});
    }
    const Query made = select(2, 1 + below(3), {});
    return with.empty() ? made.sql : with + " " + made.sql;
}

QueryGenerator::Query QueryGenerator::select(int depth, int columns, const Columns& outer) {
    return depth > 0 && chance(12) ? set_operation(depth, columns, outer) : plain(depth, columns, outer);
}

QueryGenerator::Query QueryGenerator::set_operation(int depth, int columns, const Columns& outer) {
    static const std::vector<std::string> kOperators{"UNION", "UNION ALL", "INTERSECT", "EXCEPT", "UNION ALL", "EXCEPT ALL"};
    Query query;
    query.sql = "(" + plain(depth - 1, columns, outer).sql + ") " + one_of(kOperators) + " (" + plain(depth - 1, columns, outer).sql + ")";
    query.keys.assign(static_cast<std::size_t>(columns), false);
    order_and_limit(query, columns, chance(40));
    return query;
}

QueryGenerator::Query QueryGenerator::plain(int depth, int columns, const Columns& outer) {
    const Item source = from(depth, outer);
    std::string tail = " FROM " + source.sql;
    std::vector<std::string> conditions;
    for (int i = below(3); i > 0; --i) conditions.push_back(condition(source.columns, outer, depth));
    if (!conditions.empty()) tail += " WHERE " + list(conditions, " AND ");
    Query query;
    if (chance(40)) groups(query, tail, source.columns, columns);
    else rows(query, tail, source.columns, columns, outer, depth);
    return query;
}

void QueryGenerator::rows(Query& query, std::string& tail, const Columns& scope, int columns, const Columns& outer, int depth) {
    std::vector<std::string> outputs;
    const bool windows = chance(10);
    for (int i = 0; i < columns; ++i) {
        const bool plain = chance(75);
        const Column column = pick(scope, i == 0 && chance(60));
        std::string sql = plain ? column.sql : number(chance(15) && !outer.empty() ? outer : scope, depth);
        if (windows && i == columns - 1) sql = window(scope);
        outputs.push_back(sql + " AS c" + std::to_string(i + 1));
        query.keys.push_back(plain && column.key && !(windows && i == columns - 1));
    }
    const bool distinct = chance(15);
    query.sql = std::string("SELECT ") + (distinct ? "DISTINCT " : "") + list(outputs) + tail;
    if (distinct && query.keys[0] && chance(30)) {
        std::string order;
        for (int i = 1; i <= columns; ++i) order += (i > 1 ? ", " : " ORDER BY ") + std::to_string(i);
        query.sql = "SELECT DISTINCT ON (1) " + list(outputs) + tail + order;
        return;
    }
    order_and_limit(query, columns, chance(35));
}

void QueryGenerator::groups(Query& query, std::string& tail, const Columns& scope, int columns) {
    std::vector<std::string> keys;
    for (int i = chance(80) ? 1 + below(2) : 0; i > 0; --i) {
        const Column column = pick(scope, chance(40));
        const std::string key = chance(75) ? column.sql : column.sql + " % 2";
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
        if (keys.size() == 1) query.keys.assign(1, column.key && key == column.sql);
    }
    std::vector<std::string> outputs;
    for (int i = 0; i < columns; ++i) {
        const bool key = static_cast<std::size_t>(i) < keys.size() && chance(80);
        std::string sql = key ? keys[static_cast<std::size_t>(i)] : aggregate(scope);
        if (!key && chance(15)) sql = "coalesce(" + sql + ", 0) + " + aggregate(scope);
        outputs.push_back(sql + " AS c" + std::to_string(i + 1));
        if (query.keys.size() <= static_cast<std::size_t>(i)) query.keys.push_back(false);
        if (!key) query.keys[static_cast<std::size_t>(i)] = false;
    }
    query.keys.resize(static_cast<std::size_t>(columns));
    static const std::vector<std::string> kSets{"ROLLUP", "CUBE", "GROUPING SETS"};
    if (!keys.empty()) tail += " GROUP BY " + (chance(8) ? one_of(kSets) + " (" + list(keys) + ")" : list(keys));
    if (chance(20)) tail += " HAVING " + aggregate(scope) + " > " + std::to_string(below(4));
    query.sql = std::string("SELECT ") + (chance(6) ? "DISTINCT " : "") + list(outputs) + tail;
    order_and_limit(query, columns, chance(40));
}

// By all columns: then only equal rows may change places.
void QueryGenerator::order_and_limit(Query& query, int columns, bool wanted) {
    if (!wanted) return;
    static const std::vector<std::string> kDirections{"", " DESC", " NULLS FIRST", " DESC NULLS LAST"};
    std::vector<std::string> items;
    for (int i = 1; i <= columns; ++i) items.push_back(std::to_string(i) + one_of(kDirections));
    query.sql += " ORDER BY " + list(items);
    if (chance(45)) {
        query.keys.assign(static_cast<std::size_t>(columns), false);
        if (chance(15)) query.sql += " FETCH FIRST " + std::to_string(below(6)) + " ROWS WITH TIES";
        else query.sql += " LIMIT " + std::to_string(below(8)) + (chance(30) ? " OFFSET " + std::to_string(below(4)) : "");
    } else if (chance(10)) {
        query.sql += " OFFSET " + std::to_string(below(5));
    }
}

// ---------------------------------------------------------------- FROM

QueryGenerator::Item QueryGenerator::from(int depth, const Columns& outer) {
    Item made = item(depth, outer);
    for (int i = chance(50) ? 0 : 1 + below(2); i > 0; --i) join(made, item(depth, chance(10) ? made.columns : Columns{}));
    return made;
}

QueryGenerator::Item QueryGenerator::item(int depth, const Columns& outer) {
    if (!with_.empty() && chance(40)) {
        const With with = one_of(with_);
        const std::string alias = new_name("t");
        return derived(with.name + " " + alias, alias, with.keys);
    }
    if (depth > 0 && chance(25)) {
        const Query made = select(depth - 1, 1 + below(3), outer);
        const std::string alias = new_name("t");
        return derived((outer.empty() ? "(" : "LATERAL (") + made.sql + ") " + alias, alias, made.keys);
    }
    if (chance(5)) {
        const std::string alias = new_name("g");
        return {"generate_series(0, 4) " + alias + "(n)", {{alias + ".n", false}}};
    }
    return table();
}

QueryGenerator::Item QueryGenerator::derived(const std::string& sql, const std::string& alias, const std::vector<bool>& keys) {
    Item made{sql, {}};
    for (std::size_t i = 0; i < keys.size(); ++i) made.columns.push_back({alias + ".c" + std::to_string(i + 1), keys[i]});
    return made;
}

QueryGenerator::Item QueryGenerator::table() {
    const Table& chosen = one_of(tables());
    const std::string alias = new_name("t");
    Item made{std::string(chance(15) ? "public." : "") + chosen.name + (chance(50) ? " " : " AS ") + alias, {}};
    for (const std::string& column : chosen.columns) {
        made.columns.push_back({alias + "." + column, chosen.key != nullptr && column == chosen.key});
    }
    return made;
}

void QueryGenerator::join(Item& left, const Item& right) {
    static const std::vector<std::string> kKinds{"JOIN", "JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", ","};
    const bool lateral = right.sql.substr(0, 7) == "LATERAL";
    std::string kind = lateral ? (chance(50) ? "JOIN" : "LEFT JOIN") : one_of(kKinds);
    if (kind == "," && left.sql.find(" JOIN ") != std::string::npos) kind = "JOIN";
    const bool keys = chance(65);
    const std::string equal = pick(left.columns, keys).sql + " = " + pick(right.columns, keys).sql;
    Columns both = left.columns;
    both.insert(both.end(), right.columns.begin(), right.columns.end());
    left.sql += (kind == "," ? ", " : " " + kind + " ") + right.sql;
    if (kind != ",") {
        left.sql += " ON " + equal;
        if (kind != "FULL JOIN" && chance(20)) left.sql += " AND " + condition(both, {}, 0);
    }
    left.columns = std::move(both);
}

// ---------------------------------------------------------------- expressions

QueryGenerator::Column QueryGenerator::pick(const Columns& scope, bool key) {
    Columns keys;
    std::copy_if(scope.begin(), scope.end(), std::back_inserter(keys), [](const Column& each) { return each.key; });
    return key && !keys.empty() ? one_of(keys) : one_of(scope);
}

std::string QueryGenerator::number(const Columns& scope, int depth) {
    const std::string column = pick(scope, false).sql;
    switch (below(6)) {
        case 0: return "coalesce(" + column + ", " + std::to_string(below(4)) + ")";
        case 1: return "(" + column + " + " + pick(scope, false).sql + ")";
        case 2: return "CASE WHEN " + condition(scope, {}, 0) + " THEN " + column + " ELSE " + std::to_string(below(4)) + " END";
        case 3:
            if (depth > 0) return "(" + sub_query(scope, depth) + ")";
            return column;
        case 4: return std::to_string(below(4));
        default: return "(" + column + " % 3)";
    }
}

// One value for each row of the scope.
std::string QueryGenerator::sub_query(const Columns& scope, int depth) {
    const Item source = from(depth - 1, {});
    std::string sql = "SELECT " + aggregate(source.columns) + " FROM " + source.sql;
    if (chance(70)) sql += " WHERE " + pick(source.columns, chance(70)).sql + " = " + pick(scope, chance(70)).sql;
    return sql;
}

std::string QueryGenerator::condition(const Columns& scope, const Columns& outer, int depth) {
    static const std::vector<std::string> kCompare{"=", "<", ">", "<>", "<=", "IS NOT DISTINCT FROM"};
    const bool key = chance(30);
    const std::string left = pick(scope, key).sql;
    const int kind = below(depth > 0 ? 13 : 9);
    if (!outer.empty() && chance(60)) return left + " = " + pick(outer, chance(60)).sql;
    if (kind < 3) return left + " " + one_of(kCompare) + " " + std::to_string(below(5));
    if (kind < 5) return left + " " + one_of(kCompare) + " " + pick(scope, key).sql;
    if (kind == 5) return left + " IS " + (chance(50) ? "NOT " : "") + "NULL";
    if (kind == 6) return left + (chance(30) ? " NOT" : "") + " IN (" + std::to_string(below(4)) + ", " + std::to_string(below(6)) + ")";
    if (kind == 7) return "(" + condition(scope, {}, 0) + (chance(50) ? " OR " : " AND ") + condition(scope, {}, 0) + ")";
    if (kind == 8) return "NOT (" + condition(scope, {}, 0) + ")";
    if (kind == 9) return left + " " + one_of(kCompare) + " (" + sub_query(scope, depth) + ")";
    if (kind == 10) {
        const Query made = select(depth - 1, 1, {});
        return left + (chance(40) ? " NOT" : "") + " IN (" + made.sql + ")";
    }
    const Item source = from(depth - 1, {});
    return std::string(chance(40) ? "NOT " : "") + "EXISTS (SELECT 1 FROM " + source.sql + " WHERE " + pick(source.columns, chance(75)).sql +
           " = " + pick(scope, chance(75)).sql + (chance(25) ? " AND " + condition(source.columns, {}, 0) : "") + ")";
}

std::string QueryGenerator::aggregate(const Columns& scope) {
    const std::string column = pick(scope, chance(30)).sql;
    const std::string filter = chance(15) ? " FILTER (WHERE " + condition(scope, {}, 0) + ")" : "";
    const std::string distinct = chance(15) ? "DISTINCT " : "";
    switch (below(9)) {
        case 0:
        case 1: return "count(*)" + filter;
        case 2: return "count(" + distinct + column + ")" + filter;
        case 3: return "sum(" + distinct + column + ")" + filter;
        case 4: return "min(" + column + ")" + filter;
        case 5: return "max(" + column + ")" + filter;
        case 6: return "avg(" + distinct + column + ")" + filter;
        case 7: return "bit_or((" + column + ")::int)" + filter;
        default: return "length(string_agg(" + distinct + "(" + column + ")::text, ',' ORDER BY (" + column + ")::text)" + filter + ")";
    }
}

std::string QueryGenerator::window(const Columns& scope) {
    static const std::vector<std::string> kFunctions{"rank()", "count(*)", "dense_rank()"};
    const bool sum = chance(30);
    const std::string function = sum ? "sum(" + pick(scope, false).sql + ")" : one_of(kFunctions);
    std::string over = chance(70) ? "PARTITION BY " + pick(scope, chance(60)).sql : "";
    if (chance(60)) over += " ORDER BY " + pick(scope, false).sql;
    return function + " OVER (" + over + ")";
}

}  // namespace pgmosaic::testing

#include "cli/route.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

#include "cli/client.h"
#include "cli/query_log.h"
#include "planner/planner.h"

namespace pgmosaic::cli {

namespace {

namespace json = boost::json;
using planner::PlanKind;

// Text, bigint and double precision in pg_type.dat.
const std::vector<unsigned> kRouteTypes{25, 20, 701, 25, 25};

constexpr auto kCatalogTimeout = 60s;
// Positions within an element of "columns", see planner/catalog_sql.cc.
constexpr std::size_t kNumberAt = 0;
constexpr std::size_t kNameAt = 1;
constexpr std::size_t kTypeAt = 2;

std::string_view plan_word(PlanKind kind) {
    switch (kind) {
        case PlanKind::kRoute: return "route";
        case PlanKind::kScatter: return "scatter";
        case PlanKind::kWorkbench: return "workbench";
        case PlanKind::kInsert: return "insert by key";
        case PlanKind::kReferenceWrite: return "all copies";
        case PlanKind::kBroadcast: return "all shards";
        case PlanKind::kCopyIn:
        case PlanKind::kCopyOut: return "copy";
        case PlanKind::kLocal: return "session";
        case PlanKind::kAdmin: return "pgmosaic";
        case PlanKind::kRefuse: return "refuse";
    }
    return "?";
}

struct Verdict {
    std::string plan;
    std::string reason;
    auto operator<=>(const Verdict&) const = default;
};

Verdict verdict_of(const planner::PlannedText& text) {
    if (text.syntax_error) return {"error", text.syntax_error->message};
    if (text.statements.empty()) return {"session", "nothing to do"};
    const planner::Statement& statement = text.statements.front();
    if (statement.refusal) {
        const Error& refusal = *statement.refusal;
        return {"refuse", refusal.detail.empty() ? refusal.message : refusal.message + ": " + refusal.detail};
    }
    return {std::string(plan_word(statement.plan)), statement.reason};
}

struct Group {
    std::size_t statements = 0;
    std::string example;
};

/// The tables of a name as the search path `public` finds it, or written with its schema.
json::object* find_table(json::value& catalog, const std::string& name) {
    const std::size_t dot = name.find('.');
    const std::string schema = dot == std::string::npos ? "public" : name.substr(0, dot);
    const std::string table = dot == std::string::npos ? name : name.substr(dot + 1);
    json::value& tables = catalog.at("tables");
    if (!tables.is_array()) return nullptr;
    for (json::value& each : tables.as_array()) {
        json::object& object = each.as_object();
        if (object.at("schema") == json::string(schema) && object.at("name") == json::string(table)) return &object;
    }
    return nullptr;
}

Error no_table(const std::string& name) {
    return Error{.code = sqlstate::kUndefinedTable, .message = "table \"" + name + "\" does not exist"};
}

const json::array* find_column(const json::object& table, const std::string& name) {
    if (!table.at("columns").is_array()) return nullptr;
    for (const json::value& each : table.at("columns").as_array()) {
        if (each.at(kNameAt) == json::string(name)) return &each.as_array();
    }
    return nullptr;
}

const json::array* key_column(const json::object& table) {
    if (table.at("placement") != json::string("s")) return nullptr;
    for (const json::value& each : table.at("columns").as_array()) {
        if (each.at(kNumberAt) == table.at("key")) return &each.as_array();
    }
    return nullptr;
}

/// The group of the tables whose key has the type, or a new one.
std::int64_t group_for(const json::value& catalog, const json::value& type) {
    std::int64_t highest = 0;
    for (const json::value& each : catalog.at("tables").as_array()) {
        const json::object& table = each.as_object();
        const json::array* key = key_column(table);
        if (key == nullptr) continue;
        const auto group = table.at("group").to_number<std::int64_t>();
        if (key->at(kTypeAt) == type) return group;
        highest = std::max(highest, group);
    }
    return highest + 1;
}

Result<void> propose_key(const std::string& wish, json::value& catalog) {
    const std::size_t equals = wish.find('=');
    if (equals == std::string::npos) {
        return Error{.code = sqlstate::kSyntaxError, .message = "\"" + wish + "\" names no key", .hint = "Write TABLE=COLUMN."};
    }
    const std::string name = wish.substr(0, equals), column = wish.substr(equals + 1);
    json::object* table = find_table(catalog, name);
    if (table == nullptr) return no_table(name);
    const json::array* found = find_column(*table, column);
    if (found == nullptr) {
        return Error{.code = sqlstate::kUndefinedColumn, .message = "column \"" + column + "\" of table \"" + name + "\" does not exist"};
    }
    (*table)["placement"] = nullptr;  // its present group is not the one it is to join
    const std::int64_t group = group_for(catalog, found->at(kTypeAt));
    (*table)["placement"] = "s";
    (*table)["key"] = found->at(kNumberAt);
    (*table)["group"] = group;
    return {};
}

Result<std::string> read_file(const std::string& path) {
    if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
    std::ifstream file(path, std::ios::binary);
    if (!file) return Error{.code = sqlstate::kUndefinedObject, .message = "cannot read file \"" + path + "\""};
    return std::string(std::istreambuf_iterator<char>(file), {});
}

Result<json::value> read_catalog(const std::string& cluster) {
    Result<node::Sql> sql = connect_cluster(cluster);
    if (!sql) return sql.error();
    const Result<node::SqlRows> document = sql->run(planner::kCatalogQuery, Deadline::after(kCatalogTimeout));
    if (!document) return document.error();
    return json::parse(document->scalar());
}

}  // namespace

Result<void> propose_placements(const RouteOptions& options, json::value& catalog) {
    for (const std::string& wish : options.keys) {
        if (Result<void> done = propose_key(wish, catalog); !done) return done;
    }
    for (const std::string& name : options.references) {
        json::object* table = find_table(catalog, name);
        if (table == nullptr) return no_table(name);
        (*table)["placement"] = "r";
    }
    return {};
}

node::SqlRows routes_of(const std::vector<std::string>& statements, std::shared_ptr<const planner::Catalog> catalog) {
    planner::Planner planner;
    const planner::Environment environment{.catalog = std::move(catalog)};
    std::map<Verdict, Group> groups;
    planner::Planned planned;
    for (const std::string& statement : statements) {
        planner.plan(statement, environment, planned);
        Group& group = groups[verdict_of(*planned.text)];
        if (group.statements++ == 0) group.example = statement;
    }
    std::vector<std::pair<Verdict, Group>> sorted(groups.begin(), groups.end());
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second.statements > b.second.statements; });
    node::SqlRows rows{.columns = {"plan", "statements", "percent", "reason", "example"}, .types = kRouteTypes};
    for (auto& [verdict, group] : sorted) {
        const double percent = 100.0 * static_cast<double>(group.statements) / static_cast<double>(statements.size());
        std::replace(group.example.begin(), group.example.end(), '\n', ' ');
        rows.rows.push_back({verdict.plan, std::to_string(group.statements), fmt::format("{:.1f}", percent), verdict.reason, group.example});
    }
    return rows;
}

ExitCode route(const RouteOptions& options, const std::string& cluster) {
    const Result<std::string> text = read_file(options.file);
    if (!text) return fail(text.error());
    const std::vector<std::string> statements = statements_of(*text);
    if (statements.empty()) {
        return fail(Error{.code = sqlstate::kSyntaxError, .message = "there is no statement in \"" + options.file + "\""});
    }
    Result<json::value> document = read_catalog(cluster);
    if (!document) return fail(document.error());
    if (Result<void> proposed = propose_placements(options, *document); !proposed) return fail(proposed.error());
    auto catalog = planner::Catalog::from_json(json::serialize(*document), 1);
    if (!catalog) return fail(catalog.error());
    constexpr std::size_t kWithoutExample = 4;
    std::cout << format_rows(routes_of(statements, *catalog), options.format, kWithoutExample);
    return ExitCode::kDone;
}

}  // namespace pgmosaic::cli

#include "coordinator/admin/table_facts.h"

#include <algorithm>
#include <boost/json.hpp>

#include "planner/planner.h"

namespace pgmosaic::coordinator {

namespace {

namespace json = boost::json;

std::string text(const json::value& value) { return value.is_null() ? std::string() : std::string(value.as_string()); }
bool boolean(const json::value& value) { return value.is_bool() && value.as_bool(); }
char character(const json::value& value) { return value.as_string().empty() ? '\0' : value.as_string()[0]; }

std::vector<std::string> texts(const json::value& value) {
    std::vector<std::string> all;
    if (value.is_array()) {
        for (const json::value& each : value.as_array()) all.push_back(text(each));
    }
    return all;
}

/// Every element of an array (null: none), read by `read`.
template <class T>
std::vector<T> each(const json::value& value, T (*read)(const json::object&)) {
    std::vector<T> all;
    if (value.is_array()) {
        for (const json::value& element : value.as_array()) all.push_back(read(element.as_object()));
    }
    return all;
}

Placed read_placed(const json::value& value) {
    Placed placed;
    if (value.is_null()) return placed;
    const json::object& from = value.as_object();
    placed.as = character(from.at("placement")) == 's' ? Placed::As::kSharded : Placed::As::kReference;
    if (placed.as == Placed::As::kSharded) {
        placed.group = GroupId{from.at("group").to_number<std::uint32_t>()};
        placed.key = text(from.at("key"));
    }
    return placed;
}

ColumnFacts read_column(const json::object& from) {
    return {.name = text(from.at("name")), .type = from.at("type").to_number<Oid>(), .type_name = text(from.at("type_name")),
            .generated = boolean(from.at("generated")), .not_null = boolean(from.at("not_null")),
            .nondeterministic = boolean(from.at("nondeterministic"))};
}

UniqueFacts read_unique(const json::object& from) {
    return {.name = text(from.at("name")), .table = text(from.at("table")), .expression = boolean(from.at("expression")),
            .constraint = boolean(from.at("constraint")), .primary = boolean(from.at("primary")),
            .columns = texts(from.at("columns"))};
}

ExclusionFacts read_exclusion(const json::object& from) {
    return {.name = text(from.at("name")), .equal = texts(from.at("equal"))};
}

/// As people write it: schema public is nearly always on the search path.
std::string without_public(std::string name) {
    constexpr std::string_view kPublic = "public.";
    return name.starts_with(kPublic) ? name.substr(kPublic.size()) : name;
}

ForeignKeyFacts read_foreign_key(const json::object& from) {
    return {.name = text(from.at("name")), .table = without_public(text(from.at("table"))), .own = boolean(from.at("own")),
            .placed = read_placed(from.at("placed")), .has_rows = boolean(from.at("has_rows")),
            .columns = texts(from.at("columns")), .other_columns = texts(from.at("other_columns"))};
}

TriggerFacts read_trigger(const json::object& from) {
    return {.name = text(from.at("name")), .table = text(from.at("table")), .per_row = boolean(from.at("per_row")),
            .before = boolean(from.at("before")), .enabled = character(from.at("enabled")),
            .built_in = boolean(from.at("built_in")), .language = text(from.at("language")),
            .function = text(from.at("function")), .source = text(from.at("source"))};
}

CodeFacts read_code(const json::object& from) {
    const json::value* reads = from.if_contains("reads");
    return {.name = text(from.at("name")), .reads = reads != nullptr && boolean(*reads), .functions = texts(from.at("functions"))};
}

}  // namespace

const ColumnFacts* TableFacts::find_column(std::string_view column) const {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const ColumnFacts& c) { return c.name == column; });
    return found == columns.end() ? nullptr : &*found;
}

std::string TableFacts::qualified() const { return planner::quote_identifier(schema) + "." + planner::quote_identifier(name); }

Result<TableFacts> table_facts_from_json(std::string_view document) {
    try {
        const json::value parsed = json::parse({document.data(), document.size()});
        const json::object& from = parsed.as_object();
        TableFacts facts;
        facts.oid = from.at("oid").to_number<Oid>();
        facts.schema = text(from.at("schema"));
        facts.name = text(from.at("name"));
        facts.kind = character(from.at("kind"));
        facts.persistence = character(from.at("persistence"));
        facts.partition = boolean(from.at("partition"));
        facts.forced_row_security = boolean(from.at("forced_row_security"));
        facts.owned = boolean(from.at("owned"));
        facts.system = boolean(from.at("system"));
        facts.inherits = boolean(from.at("inherits"));
        facts.has_rows = boolean(from.at("has_rows"));
        facts.created_here = boolean(from.at("created_here"));
        facts.placed = read_placed(from.at("placed"));
        facts.columns = each(from.at("columns"), read_column);
        facts.uniques = each(from.at("uniques"), read_unique);
        facts.exclusions = each(from.at("exclusions"), read_exclusion);
        facts.references = each(from.at("references"), read_foreign_key);
        facts.referenced_by = each(from.at("referenced_by"), read_foreign_key);
        facts.triggers = each(from.at("triggers"), read_trigger);
        facts.rules = texts(from.at("rules"));
        facts.policies = each(from.at("policies"), read_code);
        facts.checks = each(from.at("checks"), read_code);
        facts.functions = texts(from.at("functions"));
        return facts;
    } catch (const std::exception& failure) {
        return Error{.message = std::string("the description of a table could not be read: ") + failure.what()};
    }
}

}  // namespace pgmosaic::coordinator

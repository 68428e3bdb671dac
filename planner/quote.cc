
#include <algorithm>
#include <string_view>

#include "planner/planner.h"

namespace pgmosaic::planner {

namespace {

// Keywords that PostgreSQL 15 does not take as a bare column or table name (reserved and type_func_name and col_name categories of
// pg_get_keywords()); quoting one more than needed does no harm.
constexpr std::string_view kQuoted[] = {
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "between", "bigint",
    "binary", "bit", "boolean", "both", "case", "cast", "char", "character", "check", "coalesce", "collate", "collation", "column",
    "concurrently", "constraint", "create", "cross", "current_catalog", "current_date", "current_role", "current_schema",
    "current_time", "current_timestamp", "current_user", "dec", "decimal", "default", "deferrable", "desc", "distinct", "do",
    "else", "end", "except", "exists", "extract", "false", "fetch", "float", "for", "foreign", "freeze", "from", "full", "grant",
    "greatest", "group", "grouping", "having", "ilike", "in", "initially", "inner", "inout", "int", "integer", "intersect",
    "interval", "into", "is", "isnull", "join", "lateral", "leading", "least", "left", "like", "limit", "localtime",
    "localtimestamp", "national", "natural", "nchar", "none", "normalize", "not", "notnull", "null", "nullif", "numeric", "offset",
    "on", "only", "or", "order", "out", "outer", "overlaps", "overlay", "placing", "position", "precision", "primary", "real",
    "references", "returning", "right", "row", "select", "session_user", "setof", "similar", "smallint", "some", "substring",
    "symmetric", "table", "tablesample", "then", "time", "timestamp", "to", "trailing", "treat", "trim", "true", "union", "unique",
    "user", "using", "values", "varchar", "variadic", "verbose", "when", "where", "window", "with", "xmlattributes", "xmlconcat",
    "xmlelement", "xmlexists", "xmlforest", "xmlnamespaces", "xmlparse", "xmlpi", "xmlroot", "xmlserialize", "xmltable"};

bool plain(std::string_view name) {
    if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
    const bool safe = std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    });
    return safe && !std::binary_search(std::begin(kQuoted), std::end(kQuoted), name);
}

std::string doubled(std::string_view value, char quote) {
    std::string result;
    for (char c : value) {
        if (c == quote || (c == '\\' && quote == '\'')) result.push_back(c);
        result.push_back(c);
    }
    return result;
}

}  // namespace

std::string quote_literal(std::string_view value) {
    const bool escapes = value.find('\\') != std::string_view::npos;
    return (escapes ? " E'" : "'") + doubled(value, '\'') + "'";
}

std::string quote_identifier(std::string_view name) {
    return plain(name) ? std::string(name) : "\"" + doubled(name, '"') + "\"";
}

}  // namespace pgmosaic::planner

#include "planner/internal/spread_sizes.h"

#include <set>

#include "planner/internal/functions.h"
#include "planner/internal/stand_in.h"
#include "planner/internal/statement.h"
#include "planner/planner.h"

namespace pgmosaic::planner {

namespace {

constexpr std::string_view kSizeFunctions[] = {"pg_total_relation_size", "pg_table_size", "pg_indexes_size", "pg_relation_size",
                                               "pg_database_size"};
constexpr std::string_view kEstimates[] = {"reltuples", "relpages"};

constexpr std::string_view kStatisticsViews[] = {"pg_stat_all_tables",    "pg_stat_user_tables",    "pg_stat_all_indexes",    "pg_stat_user_indexes",
                                                 "pg_statio_all_tables",  "pg_statio_user_tables",  "pg_statio_all_indexes",  "pg_statio_user_indexes"};

/// What pg_class is called in the statement, at whatever level.
std::set<std::string> names_of_class(pg_query::ParseResult& statements) {
    std::set<std::string> names;
    walk_mutable(statements, [&](google::protobuf::Message& message) {
        const auto* relation = as<pg_query::RangeVar>(message);
        const bool found = relation && relation->relname() == "pg_class" &&
                           (relation->schemaname().empty() || relation->schemaname() == "pg_catalog");
        if (found) names.insert(relation->has_alias() ? relation->alias().aliasname() : relation->relname());
        return true;
    });
    return names;
}

/// The one that a column is of, by its qualifier or because there is no other.
std::string class_of(const pg_query::ColumnRef& column, const std::set<std::string>& names) {
    const int last = column.fields_size() - 1;
    if (last == 0) return names.size() == 1 ? *names.begin() : "";
    const std::string& qualifier = column.fields(last - 1).string().sval();
    return names.contains(qualifier) ? qualifier : "";
}

pg_query::Node estimate_call(const std::string& name, const std::string& table, const pg_query::Node& document) {
    pg_query::Node made;
    pg_query::FuncCall& call = *made.mutable_func_call();
    set_function(call, name);
    call.set_funcformat(pg_query::COERCE_EXPLICIT_CALL);
    for (const std::string& column : {std::string("oid"), name}) {
        pg_query::ColumnRef& argument = *call.add_args()->mutable_column_ref();
        for (const std::string& part : {table, column}) argument.add_fields()->mutable_string()->set_sval(part);
    }
    *call.add_args() = document;
    return made;
}

}  // namespace

bool is_size_function(const pg_query::FuncCall& call) {
    const QualifiedName name = name_of(call.funcname());
    return (name.schema.empty() || name.schema == "pg_catalog") && one_of(name.name, kSizeFunctions);
}

bool is_estimate(const pg_query::ColumnRef& column) {
    if (column.fields_size() == 0 || !column.fields(column.fields_size() - 1).has_string()) return false;
    return one_of(column.fields(column.fields_size() - 1).string().sval(), kEstimates);
}

bool is_statistics_view(const pg_query::RangeVar& relation) {
    return (relation.schemaname().empty() || relation.schemaname() == "pg_catalog") && one_of(relation.relname(), kStatisticsViews);
}

void replace_sizes(pg_query::ParseResult& statements, const std::string& elsewhere) {
    const pg_query::Node document = document_node(elsewhere);
    const std::set<std::string> classes = names_of_class(statements);
    walk_mutable(statements, [&](google::protobuf::Message& message) {
        if (auto* call = as<pg_query::FuncCall>(message); call && is_size_function(*call)) {
            stand_in(*call, document);
            return true;
        }
        auto* node = as<pg_query::Node>(message);
        if (!node || !node->has_column_ref() || !is_estimate(node->column_ref())) return true;
        const std::string table = class_of(node->column_ref(), classes);
        if (table.empty()) return true;
        const pg_query::ColumnRef& column = node->column_ref();
        const std::string name = column.fields(column.fields_size() - 1).string().sval();
        *node = estimate_call(name, table, document);
        return false;
    });
}

}  // namespace pgmosaic::planner

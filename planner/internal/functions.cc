#include "planner/internal/functions.h"

#include <algorithm>

#include "planner/internal/builtin_functions.h"
#include "planner/internal/statement.h"

namespace pgmosaic::planner {

namespace {

char worse(char a, char b) {
    const auto rank = [](char volatility) { return volatility == 'v' ? 2 : volatility == 's' ? 1 : 0; };
    return rank(a) >= rank(b) ? a : b;
}

bool may_mean(const Function& function, const std::string& schema, const std::vector<std::string>& search_path) {
    if (!schema.empty()) return function.schema == schema;
    return std::find(search_path.begin(), search_path.end(), function.schema) != search_path.end();
}

}  // namespace

QualifiedName name_of(const google::protobuf::RepeatedPtrField<pg_query::Node>& parts) {
    QualifiedName result;
    if (!parts.empty()) result.name = parts[parts.size() - 1].string().sval();
    if (parts.size() > 1) result.schema = parts[parts.size() - 2].string().sval();
    return result;
}

const Function* distributed_function(const pg_query::FuncCall& call, const Catalog& catalog, const std::vector<std::string>& search_path) {
    const QualifiedName called = name_of(call.funcname());
    std::vector<const Function*> meant;
    bool distributed = false;
    for (const Function* function : catalog.find_functions(called.name)) {
        if (!may_mean(*function, called.schema, search_path)) continue;
        // Defaults of one that was not distributed are not known; a call with as many arguments as another has means that one.
        if (!function->spread && function->inputs != call.args_size()) continue;
        distributed |= function->spread.has_value();
        meant.push_back(function);
    }
    if (!distributed) return nullptr;
    if (meant.size() == 1) return meant.front();
    refuse("function " + quoted(called.name) + " is distributed and has several forms",
           "Which one a call means is decided by the types of its arguments, on the servers.", "Give them different names.");
}

const pg_query::Node* key_argument(const pg_query::FuncCall& call, const FunctionSpread& spread) {
    for (int i = 0; i < call.args_size(); ++i) {
        const pg_query::Node& argument = call.args(i);
        if (!argument.has_named_arg_expr()) {
            if (i == spread.argument) return &argument;
        } else if (argument.named_arg_expr().name() == spread.argument_name) {
            return &argument.named_arg_expr().arg();
        }
    }
    return nullptr;
}

FunctionTraits traits_of(const pg_query::FuncCall& call, const Catalog& catalog, const std::vector<std::string>& search_path) {
    const QualifiedName called = name_of(call.funcname());
    FunctionTraits traits;
    if (called.schema.empty() || called.schema == "pg_catalog") {
        if (const BuiltinFunction* builtin = find_builtin(called.name)) {
            traits.volatility = builtin->volatility;
            traits.aggregate = builtin->aggregate();
            traits.window = builtin->window();
            traits.set_returning = builtin->set_returning();
        }
    }
    if (called.schema == "pg_catalog") return traits;
    for (const Function* function : catalog.find_functions(called.name)) {
        if (!may_mean(*function, called.schema, search_path)) continue;
        traits.user = true;
        traits.reach = std::max(traits.reach, function->reach);
        traits.volatility = worse(traits.volatility, function->volatility);
        traits.aggregate |= function->kind == 'a';
        traits.window |= function->kind == 'w';
    }
    if (call.agg_star() || call.agg_distinct() || call.agg_within_group() || call.has_agg_filter() || call.agg_order_size() > 0) {
        traits.aggregate = true;
    }
    return traits;
}

bool is_sequence_function(std::string_view name) {
    static constexpr std::string_view kNames[] = {"nextval", "setval", "currval", "lastval"};
    return one_of(name, kNames);
}

bool is_session_function(std::string_view name) {
    static constexpr std::string_view kNames[] = {"set_config", "setseed", "lo_open"};
    return one_of(name, kNames) || name.find("advisory") != std::string_view::npos;
}

bool reads_by_text(std::string_view name) {
    static constexpr std::string_view kNames[] = {
        "query_to_xml", "query_to_xml_and_xmlschema", "table_to_xml", "table_to_xml_and_xmlschema", "schema_to_xml",
        "schema_to_xml_and_xmlschema", "database_to_xml", "database_to_xml_and_xmlschema", "cursor_to_xml", "ts_stat"};
    return one_of(name, kNames);
}

}  // namespace pgmosaic::planner

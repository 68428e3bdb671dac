#include "planner/sequences.h"

#include <functional>

#include "planner/internal/functions.h"
#include "planner/internal/sequence_calls.h"
#include "planner/internal/stand_in.h"
#include "planner/internal/statement.h"
#include "planner/planner.h"

namespace pgmosaic::planner {

namespace {

pg_query::ParseResult tree_of(std::string_view sql) {
    ParsedTree tree;
    parse(sql, tree);
    if (!tree.result) throw PgError(*tree.error);
    return *tree.result;
}

/// The output column keeps the name that the call gives it.
void keep_name(pg_query::ResTarget& target) {
    const bool read = target.name().empty() && target.val().has_func_call() && is_sequence_read(target.val().func_call());
    if (read) target.set_name(name_of(target.val().func_call().funcname()).name);
}

void each_read(pg_query::ParseResult& tree, const std::function<void(pg_query::Node&)>& change) {
    walk_mutable(tree, [&](google::protobuf::Message& message) {
        if (auto* target = as<pg_query::ResTarget>(message)) keep_name(*target);
        auto* node = as<pg_query::Node>(message);
        const bool read = node && node->has_func_call() && is_sequence_read(node->func_call());
        if (read) change(*node);
        return !read;
    });
}

pg_query::Node first_value(std::string_view select) { return tree_of(select).stmts(0).stmt().select_stmt().target_list(0).res_target().val(); }

}  // namespace

bool is_sequence_read(const pg_query::FuncCall& call) {
    const QualifiedName name = name_of(call.funcname());
    if (!name.schema.empty() && name.schema != "pg_catalog") return false;
    return (name.name == "currval" && call.args_size() == 1) || (name.name == "lastval" && call.args_size() == 0);
}

bool reads_are_constant(const pg_query::Node& statement) {
    bool found = false, constant = true;
    walk(statement, [&](const google::protobuf::Message& message) {
        const auto* call = as<pg_query::FuncCall>(message);
        if (!call || !is_sequence_read(*call)) return true;
        found = true;
        walk(*call, [&](const google::protobuf::Message& within) {
            constant = constant && !as<pg_query::ColumnRef>(within) && !as<pg_query::SubLink>(within) && !as<pg_query::ParamRef>(within);
            return constant;
        });
        return false;
    });
    return found && constant;
}

std::vector<std::string> sequence_reads(std::string_view sql) {
    pg_query::ParseResult tree = tree_of(sql);
    std::vector<std::string> calls;
    each_read(tree, [&](pg_query::Node& call) {
        pg_query::ParseResult select = tree_of("SELECT 1");
        *select.mutable_stmts(0)->mutable_stmt()->mutable_select_stmt()->mutable_target_list(0)->mutable_res_target()->mutable_val() = call;
        calls.push_back(deparse(select).substr(std::string_view("SELECT ").size()));
    });
    return calls;
}

std::string with_sequence_values(std::string_view sql, const std::vector<std::string>& values) {
    pg_query::ParseResult tree = tree_of(sql);
    std::size_t next = 0;
    each_read(tree, [&](pg_query::Node& call) { call = first_value("SELECT CAST(" + values.at(next++) + " AS pg_catalog.int8)"); });
    return deparse(tree);
}

std::string with_sequence_state(std::string_view sql, std::string_view document) {
    pg_query::ParseResult tree = tree_of(sql);
    const pg_query::Node argument = document_node(document);
    each_read(tree, [&](pg_query::Node& call) { stand_in(*call.mutable_func_call(), argument); });
    return deparse(tree);
}

}  // namespace pgmosaic::planner

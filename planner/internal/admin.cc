#include <algorithm>

#include "planner/internal/functions.h"
#include "planner/internal/spread_sizes.h"
#include "planner/internal/statement.h"

namespace pgmosaic::planner {

namespace {

constexpr std::string_view kFunctions[] = {
    "create_distributed_table", "create_reference_table", "undistribute_table", "create_distributed_function",
    "isolate_tenant_to_new_shard", "citus_rebalance_start", "citus_rebalance_status", "citus_rebalance_wait",
    "citus_rebalance_stop", "run_command_on_shards"};

// These have names too common to be taken without their schema.
constexpr std::string_view kMosaicFunctions[] = {"bucket_of", "shard_of", "failover", "switchover", "restore_point", "move_buckets",
                                                 "rebuild_standby", "remove_standby", "add_standby", "pause", "resume", "verify"};

constexpr std::string_view kViews[] = {"shards", "nodes", "tables", "buckets", "clients", "pools", "transactions",
                                       "locks", "statements", "jobs", "events", "settings", "errors", "status"};

bool is_ours(const QualifiedName& name) {
    if (name.schema == "mosaic") return one_of(name.name, kFunctions) || one_of(name.name, kMosaicFunctions);
    return (name.schema.empty() || name.schema == "public" || name.schema == "pg_catalog") && one_of(name.name, kFunctions);
}

bool is_bare(const pg_query::SelectStmt& select) {
    return !select.has_where_clause() && select.group_clause_size() == 0 && select.sort_clause_size() == 0 &&
           select.values_lists_size() == 0 && !select.has_with_clause() && !select.has_limit_count() && !select.has_limit_offset() &&
           !select.has_into_clause() && select.op() == pg_query::SETOP_NONE && select.target_list_size() == 1;
}

// The one function that `SELECT f(…)` or `SELECT * FROM f(…)` calls.
const pg_query::FuncCall* sole_call(const pg_query::SelectStmt& select) {
    if (!is_bare(select)) return nullptr;
    // `f(…)::text` is what drivers write that do not know type void.
    const pg_query::Node& written = select.target_list(0).res_target().val();
    const bool as_text = written.has_type_cast() && name_of(written.type_cast().type_name().names()).name == "text";
    const pg_query::Node& target = as_text ? written.type_cast().arg() : written;
    if (select.from_clause_size() == 0) return target.has_func_call() ? &target.func_call() : nullptr;
    const bool star = target.has_column_ref() && target.column_ref().fields_size() == 1 && target.column_ref().fields(0).has_a_star();
    if (select.from_clause_size() != 1 || !star || !select.from_clause(0).has_range_function()) return nullptr;
    const pg_query::RangeFunction& function = select.from_clause(0).range_function();
    if (function.functions_size() != 1 || function.functions(0).list().items_size() == 0) return nullptr;
    const pg_query::Node& call = function.functions(0).list().items(0);
    return call.has_func_call() ? &call.func_call() : nullptr;
}

const pg_query::A_Const* plain_constant(const pg_query::Node& expression) {
    if (expression.has_type_cast()) return plain_constant(expression.type_cast().arg());
    return expression.has_a_const() ? &expression.a_const() : nullptr;
}

AdminCall::Argument argument_of(const pg_query::Node& node, const std::string& function, const PlanContext& context) {
    AdminCall::Argument argument;
    const pg_query::Node& value = node.has_named_arg_expr() ? node.named_arg_expr().arg() : node;
    if (node.has_named_arg_expr()) argument.name = node.named_arg_expr().name();
    const pg_query::A_Const* constant = plain_constant(value);
    if (constant && constant->isnull()) {
        argument.null = true;
    } else if (constant && constant->has_boolval()) {
        argument.value.constant = Literal{Literal::Kind::kString, false, constant->boolval().boolval() ? "true" : "false"};
    } else if (const auto read = context.value_of(value)) {
        argument.value = *read;
    } else {
        refuse("argument of " + function + " must be a constant or a parameter",
               "The function is pgmosaic's own and evaluates no expressions.", "Write the value itself.");
    }
    return argument;
}

std::string column_name(const pg_query::SelectStmt& select, const std::string& function) {
    const std::string& alias = select.target_list(0).res_target().name();
    return alias.empty() ? function : alias;
}

}  // namespace

std::optional<Statement> plan_admin_call(const pg_query::SelectStmt& select, PlanContext& context) {
    const pg_query::FuncCall* call = sole_call(select);
    if (!call) return std::nullopt;
    const QualifiedName name = name_of(call->funcname());
    if (!is_ours(name)) return std::nullopt;
    Statement statement;
    statement.command = Command::kAdminCall;
    statement.plan = PlanKind::kAdmin;
    statement.returns_rows = true;
    statement.writes = name.name != "bucket_of" && name.name != "shard_of" && name.name != "citus_rebalance_status" && name.name != "verify";
    statement.changes_catalog = one_of(name.name, kFunctions);
    statement.reason = "pgmosaic's own function";
    statement.tag = "SELECT 1";
    AdminCall admin;
    admin.function = name.name;
    admin.column_name = column_name(select, name.name);
    for (const pg_query::Node& node : call->args()) admin.arguments.push_back(argument_of(node, name.name, context));
    statement.admin = std::move(admin);
    return statement;
}

// `SELECT set_config('name', 'value', local)` alone is a SET that answers with a row, so that the session knows of it.
std::optional<Statement> plan_set_config(const pg_query::SelectStmt& select) {
    const pg_query::FuncCall* call = select.from_clause_size() == 0 ? sole_call(select) : nullptr;
    if (!call || call->args_size() != 3) return std::nullopt;
    const QualifiedName name = name_of(call->funcname());
    if (name.name != "set_config" || !(name.schema.empty() || name.schema == "pg_catalog")) return std::nullopt;
    const pg_query::A_Const* parts[3];
    for (int i = 0; i < 3; ++i) {
        if (call->args(i).has_named_arg_expr()) return std::nullopt;
        parts[i] = plain_constant(call->args(i));
        if (!parts[i]) return std::nullopt;
    }
    if (!parts[0]->has_sval() || !parts[1]->has_sval() || !parts[2]->has_boolval()) return std::nullopt;
    Statement statement;
    statement.command = Command::kSet;
    statement.plan = PlanKind::kLocal;
    statement.writes = false;
    statement.returns_rows = true;
    statement.tag = "SELECT 1";
    statement.reason = "a setting of the session";
    statement.name = parts[0]->sval().sval();
    statement.argument = quote_literal(parts[1]->sval().sval());
    statement.local = parts[2]->boolval().boolval();
    statement.arguments = {column_name(select, "set_config")};
    return statement;
}

std::optional<Statement> plan_session_call(const pg_query::SelectStmt& select) {
    const pg_query::FuncCall* call = sole_call(select);
    if (!call || call->args_size() != 0) return std::nullopt;
    const QualifiedName name = name_of(call->funcname());
    if (!name.schema.empty() && name.schema != "pg_catalog") return std::nullopt;
    const bool exports = name.name == "pg_export_snapshot";
    if (!exports && name.name != "pg_listening_channels") return std::nullopt;
    Statement statement;
    statement.command = exports ? Command::kExportSnapshot : Command::kListening;
    statement.plan = PlanKind::kLocal;
    statement.writes = false;
    statement.returns_rows = true;
    statement.reason = "the session answers it";
    statement.arguments = {column_name(select, name.name)};
    return statement;
}

bool is_admin_view(std::string_view name) { return one_of(name, kViews); }

namespace {

void replace_relation(pg_query::Node& node, const std::map<std::string, std::string>& subselects) {
    const pg_query::RangeVar relation = node.range_var();
    const auto found = subselects.find(relation.relname());
    if (found == subselects.end()) {
        throw PgError(Error{.code = sqlstate::kUndefinedTable,
                            .message = "relation \"mosaic." + relation.relname() + "\" does not exist",
                            .position = relation.location() + 1});
    }
    ParsedTree tree;
    parse(found->second, tree);
    PGM_CHECK(tree.result && tree.result->stmts_size() == 1, "the text of an admin view is a SELECT");
    pg_query::RangeSubselect& made = *node.mutable_range_subselect();
    *made.mutable_subquery() = tree.result->stmts(0).stmt();
    if (relation.has_alias()) *made.mutable_alias() = relation.alias();
    else made.mutable_alias()->set_aliasname(relation.relname());
}

bool is_replaced(const pg_query::RangeVar& relation, const std::map<std::string, std::string>& subselects) {
    return relation.schemaname() == "mosaic" || (is_statistics_view(relation) && subselects.contains(relation.relname()));
}

}  // namespace

std::string replace_admin_views(std::string_view sql, const std::map<std::string, std::string>& subselects) {
    ParsedTree tree;
    parse(sql, tree);
    if (!tree.result) throw PgError(*tree.error);
    pg_query::ParseResult changed = *tree.result;
    if (const auto sizes = subselects.find(std::string(kSizesElsewhere)); sizes != subselects.end()) replace_sizes(changed, sizes->second);
    walk_mutable(changed, [&](google::protobuf::Message& message) {
        if (auto* node = as<pg_query::Node>(message)) {
            const bool ours = node->has_range_var() && is_replaced(node->range_var(), subselects);
            if (ours) replace_relation(*node, subselects);
            return !ours;
        }
        auto* column = as<pg_query::ColumnRef>(message);
        const bool qualified = column && column->fields_size() == 3 && column->fields(0).string().sval() == "mosaic";
        const bool catalog = column && column->fields_size() == 3 && column->fields(0).string().sval() == "pg_catalog" &&
                             subselects.contains(column->fields(1).string().sval());
        if (qualified || catalog) column->mutable_fields()->DeleteSubrange(0, 1);
        return true;
    });
    return deparse(changed);
}

}  // namespace pgmosaic::planner

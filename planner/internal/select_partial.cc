#include "planner/internal/select_partial.h"

#include <algorithm>

#include "planner/internal/functions.h"
#include "planner/internal/select_build.h"
#include "planner/internal/select_proof.h"
#include "planner/internal/select_workbench.h"

namespace pgmosaic::planner {

namespace {

using pg_query::Node;
using NotHere = SelectItems::NotHere;

constexpr std::string_view kSameAgain[] = {"min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or"};

}  // namespace

PartialPlanner::PartialPlanner(const QueryAnalysis& analysis, const pg_query::SelectStmt& select, PlanContext& context)
    : analysis_(analysis), select_(select), context_(context), items_(analysis, select), types_(analysis, context) {}

Workbench PartialPlanner::plan() {
    const Level& level = analysis_.levels.front();
    if (!level.has_group_by && !level.has_aggregates) throw NotHere{"no aggregates"};
    if (analysis_.has_volatile_expression) throw NotHere{"a volatile function beside aggregates"};
    if (level.has_grouping_sets || level.has_set_returning) throw NotHere{"GROUPING SETS or sets"};
    shard_select_.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
    shard_select_.set_op(pg_query::SETOP_NONE);
    *shard_select_.mutable_from_clause() = select_.from_clause();
    if (select_.has_where_clause()) *shard_select_.mutable_where_clause() = select_.where_clause();
    if (select_.has_with_clause()) *shard_select_.mutable_with_clause() = select_.with_clause();
    pull_.name = "pull_1";
    split_groups();

    pg_query::SelectStmt final_select = select_;
    for (Node& target : *final_select.mutable_target_list()) {
        pg_query::ResTarget& result = *target.mutable_res_target();
        if (result.name().empty()) result.set_name(default_column_name(result.val()));
        replace(*result.mutable_val());
    }
    if (final_select.has_having_clause()) replace(*final_select.mutable_having_clause());
    replace_order(*final_select.mutable_sort_clause());
    replace_order(*final_select.mutable_distinct_clause());
    for (Node& window : *final_select.mutable_window_clause()) replace_children(*window.mutable_window_def());
    final_select.clear_where_clause();
    final_select.clear_with_clause();
    final_select.clear_group_clause();
    for (const std::string& name : group_names_) *final_select.add_group_clause() = column_reference({}, name);
    final_select.clear_from_clause();
    pg_query::RangeVar& from = *final_select.add_from_clause()->mutable_range_var();
    from.set_schemaname("pg_temp");
    from.set_relname(pull_.name);
    from.set_inh(true);
    from.set_relpersistence("p");
    pull_.shard_sql = write_select(shard_select_);
    Workbench plan;
    check_workbench_has(final_select, context_);
    plan.pulls.push_back(pull_);
    plan.final_sql = write_select(std::move(final_select));
    return plan;
}

void PartialPlanner::split_groups() {
    groups_ = items_.group_by();
    for (const Item& group : groups_) {
        if (group.expression.has_a_const()) throw NotHere{"GROUP BY a constant"};
        group_names_.push_back(group_part(group.expression));
    }
}

// A column by which the shards group, too.
std::string PartialPlanner::group_part(const Node& expression) {
    std::string name = part(expression, definition_of(expression));
    if (!grouped_.insert(name).second) return name;
    const auto found = std::find_if(parts_.begin(), parts_.end(), [&](const Part& each) { return each.name == name; });
    Node position;
    position.mutable_a_const()->mutable_ival()->set_ival(static_cast<int>(found - parts_.begin()) + 1);
    *shard_select_.add_group_clause() = position;
    return name;
}

// Adds a column to what each shard sends, once, and returns its name.
std::string PartialPlanner::part(const Node& expression, const std::string& definition) {
    const std::string text = deparse_expression(expression);
    const auto found = std::find_if(parts_.begin(), parts_.end(), [&](const Part& each) { return each.text == text; });
    if (found != parts_.end()) return found->name;
    const std::string name = "pgm_" + std::to_string(parts_.size());
    parts_.push_back({text, name});
    pg_query::ResTarget& target = *shard_select_.add_target_list()->mutable_res_target();
    target.set_name(name);
    *target.mutable_val() = expression;
    pull_.definition += (pull_.definition.empty() ? "" : ", ") + name + " " + definition;
    return name;
}

std::string PartialPlanner::definition_of(const Node& expression) const {
    const auto type = types_.type_of(expression, 0);
    if (!type || type->name.empty() || type->oid >= kUserOidMin) throw NotHere{"an expression whose type is not known here"};
    const Column* column = types_.base_column(expression, 0);
    const bool collates = merge_needs_collation(type->oid) || (column && column->collation != 0);
    return type->name + (collates ? collation_of(expression) : std::string());
}

// The collation that PostgreSQL derives for the expression, as a clause; empty for the default.
std::string PartialPlanner::collation_of(const Node& expression) const {
    std::string clause;
    bool plain = true;
    const auto note = [&](const std::string& name) {
        const std::string each = name.empty() ? std::string() : " COLLATE " + name;
        plain &= clause.empty() || each.empty() || clause == each;
        if (!each.empty()) clause = each;
    };
    walk(expression, [&](const google::protobuf::Message& message) {
        if (as<pg_query::SubLink>(message) || as<pg_query::CollateClause>(message)) plain = false;
        if (const auto* node = as<Node>(message); node && node->has_column_ref()) {
            const Column* column = types_.base_column(*node, 0);
            if (column && column->collation != 0) note(column->collation_name);
            plain &= column != nullptr;
        }
        return plain;
    });
    if (!plain || (!clause.empty() && clause.substr(0, 20) != " COLLATE pg_catalog.")) throw NotHere{"a text whose collation is not plain"};
    return clause;
}

void PartialPlanner::replace_each(Nodes& nodes) {
    for (Node& node : nodes) replace(node);
}

void PartialPlanner::replace_children(google::protobuf::Message& message) {
    using google::protobuf::FieldDescriptor;
    const auto* reflection = message.GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection->ListFields(message, &fields);
    const auto visit = [&](google::protobuf::Message& child) {
        if (auto* node = as<Node>(child)) replace(*node);
        else replace_children(child);
    };
    for (const FieldDescriptor* field : fields) {
        if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
        if (!field->is_repeated()) {
            visit(*reflection->MutableMessage(&message, field));
            continue;
        }
        for (int i = 0; i < reflection->FieldSize(message, field); ++i) visit(*reflection->MutableRepeatedMessage(&message, field, i));
    }
}

// Outermost first: a group's expression is what it is on the shards, an aggregate is recombined, all else stays.
void PartialPlanner::replace(Node& node) {
    switch (node.node_case()) {
        case Node::kAConst:
        case Node::kParamRef:
        case Node::kString:
        case Node::kTypeName:
        case Node::NODE_NOT_SET: return;
        default: break;
    }
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        if (!items_.same(groups_[i].expression, node)) continue;
        node = column_reference({}, group_names_[i]);
        return;
    }
    if (node.has_func_call() && !node.func_call().has_over()) {
        const FunctionTraits traits = traits_of(node.func_call(), context_.catalog, context_.environment.search_path);
        if (traits.aggregate) {
            node = recombined(node.func_call());
            return;
        }
    }
    if (node.has_column_ref() || node.has_sub_link()) throw NotHere{"a column or sub-query beside aggregates of groups that are split"};
    replace_children(node);
}

// ORDER BY and DISTINCT ON may name result columns, which keep their names.
void PartialPlanner::replace_order(Nodes& nodes) {
    const std::vector<std::string>& names = analysis_.levels.front().output_names;
    for (Node& node : nodes) {
        Node& item = node.has_sort_by() ? *node.mutable_sort_by()->mutable_node() : node;
        const bool name = item.has_column_ref() && item.column_ref().fields_size() == 1 &&
                          std::find(names.begin(), names.end(), item.column_ref().fields(0).string().sval()) != names.end();
        if (!name && !item.has_a_const()) replace(item);
    }
}

Node PartialPlanner::recombined(const pg_query::FuncCall& call) {
    const QualifiedName name = name_of(call.funcname());
    const bool builtin = name.schema.empty() || name.schema == "pg_catalog";
    if (!builtin || traits_of(call, context_.catalog, context_.environment.search_path).user) throw NotHere{"an aggregate that is not PostgreSQL's own"};
    if (call.agg_distinct() && !of_key(call)) return distinct_again(call);
    if (call.agg_order_size() > 0 || call.agg_within_group()) throw NotHere{"an aggregate whose parts cannot be combined"};
    const Oid argument = call.args_size() == 1 ? types_.type_of(call.args(0), 0).value_or(ExpressionType{}).oid : 0;
    if (name.name == "count") return expression_from("coalesce(sum(" + part(node_of(call), "bigint") + "), 0)::bigint");
    if (name.name == "sum") return recombined_sum(call, argument);
    if (name.name == "avg") return recombined_average(call, argument);
    if (std::find(std::begin(kSameAgain), std::end(kSameAgain), name.name) == std::end(kSameAgain) || call.args_size() != 1) {
        throw NotHere{"aggregate " + name.name + " has no parts that could be combined"};
    }
    const auto type = types_.type_of(node_of(call), 0);
    if (!type || type->name.empty()) throw NotHere{name.name + " of a type that is not known here"};
    const std::string collation = merge_needs_collation(type->oid) ? collation_of(call.args(0)) : std::string();
    return expression_from(name.name + "(" + part(node_of(call), type->name + collation) + ")");
}

bool PartialPlanner::of_key(const pg_query::FuncCall& call) const {
    const auto column = call.args_size() == 1 ? analysis_.resolve(call.args(0), 0) : std::nullopt;
    return column && is_key(analysis_, *column);
}

// The shards send each value once a group, and the same aggregate sees them again. The other parts are then of finer groups, which
// does not matter to them.
Node PartialPlanner::distinct_again(const pg_query::FuncCall& call) {
    if (call.has_agg_filter() || call.agg_within_group()) throw NotHere{"an aggregate of DISTINCT values with FILTER"};
    Node again = node_of(call);
    pg_query::FuncCall& made = *again.mutable_func_call();
    for (int i = 0; i < call.args_size(); ++i) {
        if (!is_constant(call.args(i))) *made.mutable_args(i) = column_reference({}, group_part(call.args(i)));
    }
    for (Node& order : *made.mutable_agg_order()) {
        Node& by = *order.mutable_sort_by()->mutable_node();
        const auto argument = std::find_if(call.args().begin(), call.args().end(), [&](const Node& each) { return items_.same(each, by); });
        if (argument == call.args().end()) throw NotHere{"an aggregate of DISTINCT values in the order of others"};
        if (!is_constant(*argument)) by = column_reference({}, group_part(*argument));
    }
    return again;
}

Node PartialPlanner::recombined_sum(const pg_query::FuncCall& call, Oid argument) {
    if (argument == type::kInterval || argument == type::kMoney) {
        return expression_from("sum(" + part(node_of(call), type_name_of(argument)) + ")");
    }
    const auto sums = merge_sums(argument);
    if (!sums) throw NotHere{"sum of a type that is not known here"};
    const std::string sum = "sum(" + part(node_of(call), type_name_of(sums->sum_type)) + ")";
    return expression_from(sums->sum_type == type::kInt8 ? sum + "::bigint" : sum);
}

Node PartialPlanner::recombined_average(const pg_query::FuncCall& call, Oid argument) {
    const std::string count = "nullif(sum(" + part(renamed(call, "count"), "bigint") + "), 0)";
    if (argument == type::kInterval) {
        return expression_from("(sum(" + part(renamed(call, "sum"), "interval") + ") / " + count + "::double precision)");
    }
    const auto sums = merge_sums(argument);
    if (!sums) throw NotHere{"avg of a type that is not known here"};
    Node sum = renamed(call, "sum");
    if (sums->avg_widens) {
        *sum.mutable_func_call()->mutable_args(0) = expression_from("(" + write_expression(call.args(0)) + ")::double precision");
    }
    const std::string name = part(sum, type_name_of(sums->avg_sum_type));
    const std::string divisor = sums->avg_type == type::kFloat8 ? count + "::double precision" : count;
    return expression_from("(sum(" + name + ") / " + divisor + ")");
}

}  // namespace pgmosaic::planner

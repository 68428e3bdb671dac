#include <algorithm>

#include "planner/internal/functions.h"
#include "planner/internal/select_build.h"
#include "planner/internal/select_proof.h"
#include "planner/internal/select_scatter.h"

namespace pgmosaic::planner {

namespace {

using pg_query::Node;
using NotHere = SelectItems::NotHere;

std::optional<Combine> simple_combine(std::string_view name) {
    if (name == "count") return Combine::kCount;
    if (name == "min") return Combine::kMin;
    if (name == "max") return Combine::kMax;
    if (name == "bool_and" || name == "every") return Combine::kBoolAnd;
    if (name == "bool_or") return Combine::kBoolOr;
    if (name == "bit_and") return Combine::kBitAnd;
    if (name == "bit_or") return Combine::kBitOr;
    return std::nullopt;
}

}  // namespace

// SELECT g, avg(x) … GROUP BY g becomes SELECT g, avg(x), g, sum(x), count(x) … GROUP BY g on each shard.
Scatter ScatterPlanner::aggregates() {
    if (select_.has_having_clause()) throw NotHere{"HAVING over groups that are split"};
    if (level_.has_windows || level_.has_distinct || level_.has_set_returning) throw NotHere{"window functions, DISTINCT or sets over aggregates"};
    Scatter scatter;
    MergeSpec& merge = scatter.merge;
    merge.mode = MergeSpec::Mode::kAggregate;
    merge.visible = items_.columns();
    pg_query::SelectStmt shard_select = select_;
    HiddenColumns hidden(shard_select, merge.visible);
    const std::vector<Item> groups = items_.group_by();
    for (const Item& group : groups) merge.group_by.push_back(group_key(group.expression, hidden));
    for (int i = 0; i < merge.visible; ++i) {
        const Node expression = items_.output(i);
        const bool key = std::any_of(groups.begin(), groups.end(), [&](const Item& group) { return items_.same(group.expression, expression); });
        const auto index = static_cast<std::uint16_t>(i);
        merge.outputs.push_back(key || is_constant(expression) ? OutputColumn{.combine = Combine::kGroupKey, .input = index}
                                                               : aggregate_output(expression, index, hidden));
    }
    order_aggregates(groups, merge);
    const Counts counts = counts_of(select_, context_);
    merge.limit = counts.limit;
    merge.offset = counts.offset;
    merge.hidden = hidden.count();
    shard_select.clear_sort_clause();
    shard_select.clear_limit_count();
    shard_select.clear_limit_offset();
    shard_select.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
    finish(shard_select, true, scatter);
    reason_ = "partial aggregates of the shards are combined";
    return scatter;
}

OutputColumn ScatterPlanner::aggregate_output(const Node& expression, std::uint16_t index, HiddenColumns& hidden) const {
    if (!expression.has_func_call()) throw NotHere{"an expression over aggregates of groups that are split"};
    return aggregate_call(expression.func_call(), index, hidden);
}

OutputColumn ScatterPlanner::aggregate_call(const pg_query::FuncCall& call, std::uint16_t index, HiddenColumns& hidden) const {
    const QualifiedName name = name_of(call.funcname());
    const bool builtin = name.schema.empty() || name.schema == "pg_catalog";
    if (!builtin || traits_of(call, context_.catalog, context_.environment.search_path).user) throw NotHere{"an aggregate that is not PostgreSQL's own"};
    if (call.has_over() || call.agg_order_size() > 0 || call.agg_within_group()) throw NotHere{"an aggregate whose parts cannot be combined"};
    const Oid argument = call.args_size() == 1 ? types_.type_of(call.args(0), 0).value_or(ExpressionType{}).oid : 0;
    if (call.agg_distinct()) {
        const auto column = call.args_size() == 1 ? analysis_.resolve(call.args(0), 0) : std::nullopt;
        if (!column || !is_key(analysis_, *column)) throw NotHere{"an aggregate of DISTINCT values that are not the shard key"};
    }
    if (name.name == "sum" || name.name == "avg") return sum_or_average(call, argument, hidden);
    const auto combine = simple_combine(name.name);
    if (!combine) throw NotHere{"aggregate " + name.name + " cannot be combined"};
    OutputColumn output{.combine = *combine};
    switch (*combine) {
        case Combine::kCount: output.input_type = type::kInt8; break;
        case Combine::kBoolAnd:
        case Combine::kBoolOr: output.input_type = type::kBool; break;
        case Combine::kMin:
        case Combine::kMax: {
            const auto type = types_.type_of(node_of(call), 0);
            if (!type) throw NotHere{name.name + " of a type that cannot be compared here"};
            if (!types_.byte_ordered(call.args(0), type->oid, 0)) throw NotHere{name.name + " of text whose collation is not C"};
            output.input_type = type->oid;
            output.input2 = index;
            break;
        }
        default:
            if (!merge_bits(argument)) throw NotHere{name.name + " of a type that cannot be combined here"};
            output.input_type = argument;
    }
    output.output_type = output.input_type;
    output.input = hidden.add(node_of(call));
    return output;
}

OutputColumn ScatterPlanner::sum_or_average(const pg_query::FuncCall& call, Oid argument, HiddenColumns& hidden) const {
    const auto sums = merge_sums(argument);
    if (!sums) throw NotHere{"sum or avg of a type that cannot be added here"};
    OutputColumn output;
    if (name_of(call.funcname()).name == "sum") {
        output.combine = Combine::kSum;
        output.input = hidden.add(node_of(call));
        output.input_type = output.output_type = sums->sum_type;
        return output;
    }
    output.combine = Combine::kAvg;
    Node sum = renamed(call, "sum");
    if (sums->avg_widens) {
        *sum.mutable_func_call()->mutable_args(0) = expression_from("(" + write_expression(call.args(0)) + ")::double precision");
    }
    output.input = hidden.add(sum);
    output.input2 = hidden.add(renamed(call, "count"));
    output.input_type = sums->avg_sum_type;
    output.output_type = sums->avg_type;
    return output;
}

void ScatterPlanner::order_aggregates(const std::vector<Item>& groups, MergeSpec& merge) const {
    for (const OrderItem& order : items_.order_by()) {
        const Node& expression = order.item.expression;
        if (is_constant(expression)) continue;
        SortKey key{.descending = order.descending, .nulls_first = order.nulls_first};
        const auto group = std::find_if(groups.begin(), groups.end(), [&](const Item& each) { return items_.same(each.expression, expression); });
        if (group != groups.end()) {
            const SortKey& hidden = merge.group_by[static_cast<std::size_t>(group - groups.begin())];
            if (!types_.byte_ordered(expression, hidden.type, 0)) throw NotHere{"ORDER BY of text whose collation is not C"};
            key.column = static_cast<std::uint16_t>(merge.outputs.size() + hidden.column);
            key.type = hidden.type;
        } else if (order.item.output) {
            key.column = static_cast<std::uint16_t>(*order.item.output);
            key.type = merge.outputs[key.column].output_type;
        } else {
            throw NotHere{"ORDER BY of an expression over groups that are split"};
        }
        merge.order_output.push_back(key);
    }
}

}  // namespace pgmosaic::planner

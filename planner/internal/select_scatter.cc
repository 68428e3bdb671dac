#include "planner/internal/select_scatter.h"

#include <algorithm>

#include "planner/internal/select_build.h"
#include "planner/internal/select_proof.h"

namespace pgmosaic::planner {

namespace {

using pg_query::Node;
using NotHere = SelectItems::NotHere;

}  // namespace

ScatterPlanner::ScatterPlanner(const QueryAnalysis& analysis, const pg_query::SelectStmt& select, PlanContext& context)
    : analysis_(analysis), select_(select), context_(context), level_(analysis.levels.front()), items_(analysis, select), types_(analysis, context) {}

Scatter ScatterPlanner::plan() {
    if (select_.has_into_clause()) throw NotHere{"SELECT INTO"};
    if (level_.has_windows) check_windows();
    if (level_.has_grouping_sets) throw NotHere{"GROUPING SETS"};
    return rows_stay_whole() ? rows() : aggregates();
}

// A window is whole on one shard if the shard key is among the columns that partition it.
void ScatterPlanner::check_windows() const {
    const auto by_key = [&](const pg_query::WindowDef& window) {
        return std::any_of(window.partition_clause().begin(), window.partition_clause().end(), [&](const Node& node) {
            const auto column = analysis_.resolve(node, 0);
            return column && is_key(analysis_, *column);
        });
    };
    bool whole = true;
    for (const Node& window : select_.window_clause()) whole &= by_key(window.window_def());
    walk(select_, [&](const google::protobuf::Message& message) {
        const auto* call = as<pg_query::FuncCall>(message);
        if (call && call->has_over() && call->over().name().empty()) whole &= by_key(call->over());
        return as<pg_query::SubLink>(message) == nullptr;
    });
    if (!whole) throw NotHere{"a window function needs rows of several shards"};
}

// True if grouping, if any, is by the shard key: then no shard has a part of a group.
bool ScatterPlanner::rows_stay_whole() const {
    if (!level_.has_group_by && !level_.has_aggregates) return true;
    return std::any_of(level_.group_columns.begin(), level_.group_columns.end(), [&](ColumnNode node) { return is_key(analysis_, node); });
}

Scatter ScatterPlanner::rows() {
    Scatter scatter;
    MergeSpec& merge = scatter.merge;
    pg_query::SelectStmt shard_select = select_;
    merge.visible = items_.columns();
    HiddenColumns hidden(shard_select, merge.visible);
    reason_ = "rows of the shards are put together";
    const bool by_key = std::any_of(level_.distinct_columns.begin(), level_.distinct_columns.end(),
                                    [&](ColumnNode node) { return is_key(analysis_, node); });
    if (select_.sort_clause_size() > 0) sort_rows(hidden, merge);
    if (level_.has_distinct && !by_key) distinct_rows(hidden, merge);
    const Counts counts = counts_of(select_, context_);
    merge.limit = counts.limit;
    merge.offset = counts.offset;
    const bool counted = push_counts(counts, context_, shard_select);
    merge.hidden = hidden.count();
    finish(shard_select, counted || merge.hidden > 0, scatter);
    return scatter;
}

void ScatterPlanner::sort_rows(HiddenColumns& hidden, MergeSpec& merge) {
    for (const OrderItem& order : items_.order_by()) {
        // A hidden copy would let an ORDER BY pass that DISTINCT forbids.
        if (level_.has_distinct && !order.item.output && items_.distinct_on().empty()) throw NotHere{"DISTINCT with ORDER BY of another expression"};
        merge.order_by.push_back(sort_key(order.item.expression, order, hidden));
    }
    merge.mode = MergeSpec::Mode::kSorted;
    reason_ = "sorted rows of the shards are merged";
}

void ScatterPlanner::distinct_rows(HiddenColumns& hidden, MergeSpec& merge) {
    const std::vector<Item> on = items_.distinct_on();
    if (!on.empty()) {
        for (const Item& item : on) merge.group_by.push_back(group_key(item.expression, hidden));
    } else {
        for (int i = 0; i < merge.visible; ++i) merge.group_by.push_back(group_key(items_.output(i), hidden));
    }
    merge.mode = MergeSpec::Mode::kDistinct;
    reason_ = "distinct rows of the shards are made distinct together";
}

SortKey ScatterPlanner::sort_key(const Node& expression, const OrderItem& order, HiddenColumns& hidden) const {
    check_repeatable();
    const auto type = types_.type_of(expression, 0);
    if (!type || !merge_compares(type->oid)) throw NotHere{"ORDER BY of a type that cannot be compared here"};
    if (!types_.byte_ordered(expression, type->oid, 0)) throw NotHere{"ORDER BY of text whose collation is not C"};
    return {hidden.add(expression), type->oid, order.descending, order.nulls_first, {}};
}

// A hidden copy of a volatile expression would be another value.
void ScatterPlanner::check_repeatable() const {
    if (analysis_.has_volatile_expression) throw NotHere{"a volatile function beside ORDER BY, GROUP BY or DISTINCT"};
}

SortKey ScatterPlanner::group_key(const Node& expression, HiddenColumns& hidden) const {
    check_repeatable();
    const auto type = types_.type_of(expression, 0);
    if (!type || !merge_compares(type->oid)) throw NotHere{"GROUP BY or DISTINCT of a type that cannot be compared here"};
    if (merge_needs_collation(type->oid) && !types_.deterministic(expression, 0)) throw NotHere{"a collation may call different texts equal"};
    return {hidden.add(expression), type->oid, false, false, {}};
}

void ScatterPlanner::finish(const pg_query::SelectStmt& shard_select, bool changed, Scatter& scatter) const {
    if (changed) scatter.shard_sql = write_select(shard_select);
    context_.exact_literals |= changed;
    prune(scatter);
}

// A table that no outer join may fill with NULLs has a row in every row of the result.
void ScatterPlanner::prune(Scatter& scatter) const {
    for (int index : analysis_.sharded()) {
        const Table& table = *analysis_.entries[static_cast<std::size_t>(index)].table;
        scatter.group = table.group;
        scatter.key_type = table.columns[static_cast<std::size_t>(table.key)].type;
    }
    for (int index : level_.entries) {
        const RangeEntry& entry = analysis_.entries[static_cast<std::size_t>(index)];
        if (!analysis_.is_split(entry) || entry.nullable) continue;
        const auto values = analysis_.key_values(index);
        if (!values) continue;
        scatter.key_type = entry.table->columns[static_cast<std::size_t>(entry.table->key)].type;
        scatter.prune = {*values};
        for (const ValueRef& value : *values) context_.exact_literals |= value.from == ValueRef::From::kConstant;
        return;
    }
}

}  // namespace pgmosaic::planner

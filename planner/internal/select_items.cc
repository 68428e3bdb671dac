#include "planner/internal/select_items.h"

#include <algorithm>

#include "planner/internal/select_build.h"

namespace pgmosaic::planner {

namespace {

using pg_query::Node;
using NotHere = SelectItems::NotHere;

std::optional<std::int64_t> position_of(const Node& node) {
    if (!node.has_a_const() || !node.a_const().has_ival()) return std::nullopt;
    return node.a_const().ival().ival();
}

std::string sole_name(const Node& node) {
    if (!node.has_column_ref() || node.column_ref().fields_size() != 1) return {};
    return node.column_ref().fields(0).string().sval();
}

// Digits that are a bigint.
bool is_count(const Literal& literal) {
    const bool number = literal.kind == Literal::Kind::kInteger || literal.kind == Literal::Kind::kDecimal;
    if (!number || literal.negative || literal.value.find_first_not_of("0123456789") != std::string::npos) return false;
    constexpr std::string_view kLargest = "9223372036854775807";
    return literal.value.size() < kLargest.size() || (literal.value.size() == kLargest.size() && literal.value <= kLargest);
}

CountRef count_of(const Node& node, PlanContext& context) {
    if (node.has_a_const() && node.a_const().isnull()) return std::nullopt;
    const auto value = context.value_of(node);
    if (!value) throw NotHere{"LIMIT or OFFSET is an expression"};
    if (value->from == ValueRef::From::kParameter) return value;
    const Literal literal = context.literal_of(*value);
    if (!is_count(literal)) throw NotHere{"LIMIT or OFFSET is no plain number"};
    return value;
}

std::string text_of(const ValueRef& value, PlanContext& context) {
    if (value.from == ValueRef::From::kParameter) return "$" + std::to_string(value.index);
    return context.literal_of(value).value;
}

}  // namespace

std::uint16_t SelectItems::columns() const {
    const auto stars = std::count_if(select_.target_list().begin(), select_.target_list().end(), [](const Node& target) {
        const Node& value = target.res_target().val();
        return is_star(value) && value.column_ref().fields_size() == 1;
    });
    if (level().output_known || stars == 0) return static_cast<std::uint16_t>(level().output_names.size());
    const bool known = std::all_of(level().entries.begin(), level().entries.end(), [&](int index) {
        return analysis_.entries[static_cast<std::size_t>(index)].columns_known;
    });
    if (!known) throw NotHere{"the columns of the result are not known"};
    const auto merged = std::count_if(analysis_.merged.begin(), analysis_.merged.end(), [](const MergedColumn& each) { return each.level == 0; });
    return static_cast<std::uint16_t>(static_cast<std::ptrdiff_t>(level().output_names.size()) - stars * merged);
}

Node SelectItems::output(int index) const {
    const auto at = static_cast<std::size_t>(index);
    if (!level().output_known || index < 0 || at >= level().output.size()) throw NotHere{"a column of the result is not known"};
    if (level().output[at]) return *level().output[at];
    const ColumnNode node = level().output_columns[at].value();
    return column_reference(analysis_.entries[static_cast<std::size_t>(node.entry)].alias, level().output_names[at]);
}

Item SelectItems::at_position(std::int64_t position) const {
    const auto index = static_cast<int>(position - 1);
    return {output(index), index};
}

std::optional<Item> SelectItems::output_named(const Node& node) const {
    const std::string name = sole_name(node);
    if (name.empty()) return std::nullopt;
    std::optional<Item> found;
    for (std::size_t i = 0; i < level().output_names.size(); ++i) {
        if (level().output_names[i] != name) continue;
        Item each = at_position(static_cast<std::int64_t>(i) + 1);
        if (found && !same(found->expression, each.expression)) throw NotHere{"column name \"" + name + "\" is ambiguous"};
        if (!found) found = std::move(each);
    }
    return found;
}

std::vector<Item> SelectItems::group_by() const {
    std::vector<Item> items;
    for (const Node& node : select_.group_clause()) {
        if (const auto position = position_of(node)) {
            items.push_back(at_position(*position));
            continue;
        }
        // GROUP BY prefers an input column to an alias, ORDER BY the other way round.
        std::optional<Item> named;
        if (!analysis_.resolve(node, 0)) named = output_named(node);
        items.push_back(named ? *named : Item{node, find_output(node)});
    }
    return items;
}

std::vector<OrderItem> SelectItems::order_by() const {
    std::vector<OrderItem> items;
    for (const Node& node : select_.sort_clause()) {
        const pg_query::SortBy& sort = node.sort_by();
        if (sort.sortby_dir() == pg_query::SORTBY_USING) throw NotHere{"ORDER BY USING an operator"};
        OrderItem item;
        item.descending = sort.sortby_dir() == pg_query::SORTBY_DESC;
        item.nulls_first = sort.sortby_nulls() == pg_query::SORTBY_NULLS_DEFAULT ? item.descending
                                                                                 : sort.sortby_nulls() == pg_query::SORTBY_NULLS_FIRST;
        if (const auto position = position_of(sort.node())) {
            item.item = at_position(*position);
        } else if (auto named = output_named(sort.node())) {
            item.item = std::move(*named);
        } else {
            item.item = {sort.node(), find_output(sort.node())};
        }
        items.push_back(std::move(item));
    }
    return items;
}

std::vector<Item> SelectItems::distinct_on() const {
    std::vector<Item> items;
    for (const Node& node : select_.distinct_clause()) {
        if (node.node_case() == Node::NODE_NOT_SET) continue;
        if (const auto position = position_of(node)) {
            items.push_back(at_position(*position));
        } else if (auto named = output_named(node)) {
            items.push_back(std::move(*named));
        } else {
            items.push_back({node, find_output(node)});
        }
    }
    return items;
}

bool SelectItems::same(const Node& left, const Node& right) const {
    const auto left_node = analysis_.resolve(left, 0);
    const auto right_node = analysis_.resolve(right, 0);
    if (left_node && right_node) return *left_node == *right_node;
    return deparse_expression(left) == deparse_expression(right);
}

std::optional<int> SelectItems::find_output(const Node& expression) const {
    if (!level().output_known) return std::nullopt;
    for (std::size_t i = 0; i < level().output.size(); ++i) {
        if (same(output(static_cast<int>(i)), expression)) return static_cast<int>(i);
    }
    return std::nullopt;
}

std::uint16_t HiddenColumns::add(const Node& expression) {
    const std::string text = deparse_expression(expression);
    const auto found = std::find(texts_.begin(), texts_.end(), text);
    const auto index = found - texts_.begin();
    if (found == texts_.end()) {
        texts_.push_back(text);
        pg_query::ResTarget& target = *select_.add_target_list()->mutable_res_target();
        target.set_name("pgm_" + std::to_string(index));
        *target.mutable_val() = expression;
    }
    return static_cast<std::uint16_t>(visible_ + index);
}

Counts counts_of(const pg_query::SelectStmt& select, PlanContext& context) {
    if (select.limit_option() == pg_query::LIMIT_OPTION_WITH_TIES) throw NotHere{"FETCH FIRST WITH TIES"};
    Counts counts;
    if (select.has_limit_count()) counts.limit = count_of(select.limit_count(), context);
    if (select.has_limit_offset()) counts.offset = count_of(select.limit_offset(), context);
    for (const CountRef* each : {&counts.limit, &counts.offset}) {
        if (*each && (*each)->from == ValueRef::From::kConstant) context.exact_literals = true;
    }
    return counts;
}

bool push_counts(const Counts& counts, PlanContext& context, pg_query::SelectStmt& shard_select) {
    if (!counts.offset) return false;
    shard_select.clear_limit_offset();
    if (!counts.limit) {
        shard_select.clear_limit_count();
        shard_select.set_limit_option(pg_query::LIMIT_OPTION_DEFAULT);
        return true;
    }
    // In numeric, for LIMIT may be the largest bigint; a NULL means no limit, as it does in LIMIT itself.
    const std::string sum = "least(" + text_of(*counts.limit, context) + "::numeric + " + text_of(*counts.offset, context) +
                            "::numeric, 9223372036854775807)::bigint";
    *shard_select.mutable_limit_count() = expression_from(sum);
    return true;
}

}  // namespace pgmosaic::planner

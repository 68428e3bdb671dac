#include <algorithm>

#include "planner/internal/analyzer.h"

namespace pgmosaic::planner {

void Analyzer::conditions(const pg_query::Node& condition, int level, const std::vector<int>& valid_for,
                          const pg_query::JoinExpr* join) {
    if (condition.has_bool_expr() && condition.bool_expr().boolop() == pg_query::AND_EXPR) {
        for (const pg_query::Node& part : condition.bool_expr().args()) conditions(part, level, valid_for, join);
        return;
    }
    conjunct(condition, level, valid_for, join);
}

void Analyzer::conjunct(const pg_query::Node& condition, int level, const std::vector<int>& valid_for,
                        const pg_query::JoinExpr* join) {
    Conjunct made{.condition = &condition, .valid_for = valid_for, .join = join};
    collectors_.push_back(&made);
    collector_levels_.push_back(level);
    if (condition.has_sub_link()) {
        const int sub_level = sublink(condition.sub_link(), level);
        in_sublink(condition.sub_link(), sub_level, level);
    } else {
        expression(condition, level);
    }
    collectors_.pop_back();
    collector_levels_.pop_back();
    std::sort(made.uses.begin(), made.uses.end());
    made.uses.erase(std::unique(made.uses.begin(), made.uses.end()), made.uses.end());
    out_.levels[static_cast<std::size_t>(level)].conjuncts.push_back(std::move(made));

    Fact fact{.level = level, .valid_for = valid_for, .join = join, .condition = &condition};
    for (auto& [node, values] : bindings(condition, level)) {
        Fact bound = fact;
        bound.left = node;
        bound.values = std::move(values);
        out_.facts.push_back(std::move(bound));
    }
    column_equalities(condition, fact);
}

// `column IN (SELECT …)`: only rows of the sub-query whose first column equals ours matter.
void Analyzer::in_sublink(const pg_query::SubLink& link, int sub_level, int level) {
    const bool in = link.sub_link_type() == pg_query::ANY_SUBLINK && (link.oper_name_size() == 0 || is_equality(link.oper_name()));
    if (!in || !link.has_testexpr() || !link.testexpr().has_column_ref()) return;
    bool unknown = false;
    const auto node = find_column(link.testexpr().column_ref(), level, unknown);
    if (node && comparable(*node)) out_.levels[static_cast<std::size_t>(sub_level)].in_test = node;
}

bool Analyzer::is_equality(const Nodes& operator_name) const {
    const QualifiedName name = name_of(operator_name);
    return name.name == "=" && (name.schema.empty() || name.schema == "pg_catalog");
}

// The family in which an equality on this column is PostgreSQL's own; nullopt if that is not proved.
std::optional<shardmap::KeyFamily> Analyzer::comparable(ColumnNode node) const {
    const Column* column = out_.base_column(node);
    if (!column) {
        const pg_query::Node* constant = context_.catalog.has_user_operators() ? nullptr : out_.constant_column(node);
        return constant ? constant_family(*constant) : std::nullopt;
    }
    if (column->nondeterministic) return std::nullopt;
    const auto family = shardmap::key_family(column->type);
    if (!family || !context_.catalog.has_user_operators()) return family;
    // A user's operator is preferred only where pg_catalog has none for exactly these types, or stands later in search_path.
    const auto& path = context_.environment.search_path;
    if (std::find(path.begin(), path.end(), "pg_catalog") != path.end()) return std::nullopt;
    return column->type == shardmap::kVarcharOid ? std::nullopt : family;
}

void Analyzer::equality_bindings(const pg_query::Node& left, const pg_query::Node& right, int level, Bindings& found) {
    if (left.has_row_expr() && right.has_row_expr() && left.row_expr().args_size() == right.row_expr().args_size()) {
        for (int i = 0; i < left.row_expr().args_size(); ++i) {
            equality_bindings(left.row_expr().args(i), right.row_expr().args(i), level, found);
        }
        return;
    }
    if (!left.has_column_ref() && right.has_column_ref()) return equality_bindings(right, left, level, found);
    if (!left.has_column_ref()) return;
    bool unknown = false;
    const auto node = find_column(left.column_ref(), level, unknown);
    const auto family = node ? comparable(*node) : std::nullopt;
    if (!family) return;
    KeyAlternatives values;
    if (right.has_list() || right.has_a_array_expr()) {
        const Nodes& items = right.has_list() ? right.list().items() : right.a_array_expr().elements();
        for (const pg_query::Node& item : items) {
            const auto value = context_.key_value_of(item, *family);
            if (!value) return;
            values.push_back(*value);
        }
    } else if (const auto value = context_.key_value_of(right, *family)) {
        values.push_back(*value);
    }
    if (!values.empty()) found.emplace(*node, std::move(values));
}

Analyzer::Bindings Analyzer::bindings(const pg_query::Node& condition, int level) {
    Bindings found;
    if (condition.has_a_expr()) {
        const pg_query::A_Expr& comparison = condition.a_expr();
        const bool kind = comparison.kind() == pg_query::AEXPR_OP || comparison.kind() == pg_query::AEXPR_IN ||
                          (comparison.kind() == pg_query::AEXPR_OP_ANY && comparison.rexpr().has_a_array_expr());
        if (kind && comparison.has_lexpr() && is_equality(comparison.name())) {
            equality_bindings(comparison.lexpr(), comparison.rexpr(), level, found);
        }
        return found;
    }
    if (!condition.has_bool_expr()) return found;
    const pg_query::BoolExpr& expression = condition.bool_expr();
    if (expression.boolop() == pg_query::AND_EXPR) {
        for (const pg_query::Node& part : expression.args()) found.merge(bindings(part, level));
    } else if (expression.boolop() == pg_query::OR_EXPR) {
        // Every arm must bind the column; the row then has one of all their values.
        for (int i = 0; i < expression.args_size(); ++i) {
            Bindings arm = bindings(expression.args(i), level);
            if (i == 0) {
                found = std::move(arm);
                continue;
            }
            Bindings both;
            for (auto& [node, values] : found) {
                const auto other = arm.find(node);
                if (other == arm.end()) continue;
                values.insert(values.end(), other->second.begin(), other->second.end());
                both.emplace(node, std::move(values));
            }
            found = std::move(both);
        }
    }
    return found;
}

void Analyzer::column_equalities(const pg_query::Node& condition, Fact fact) {
    if (!condition.has_a_expr() || condition.a_expr().kind() != pg_query::AEXPR_OP || !is_equality(condition.a_expr().name())) return;
    const pg_query::Node& left = condition.a_expr().lexpr();
    const pg_query::Node& right = condition.a_expr().rexpr();
    const auto add = [&](const pg_query::Node& one, const pg_query::Node& other) {
        if (!one.has_column_ref() || !other.has_column_ref()) return;
        bool unknown = false;
        const auto from = find_column(one.column_ref(), fact.level, unknown);
        const auto to = find_column(other.column_ref(), fact.level, unknown);
        if (from && to) add_column_fact(*from, *to, fact);
    };
    if (left.has_row_expr() && right.has_row_expr() && left.row_expr().args_size() == right.row_expr().args_size()) {
        for (int i = 0; i < left.row_expr().args_size(); ++i) add(left.row_expr().args(i), right.row_expr().args(i));
        return;
    }
    add(left, right);
}

void Analyzer::add_column_fact(ColumnNode left, ColumnNode right, Fact fact) {
    // Across families the comparison may convert: char(5) against text strips blanks, and the hashes differ.
    const auto family = comparable(left);
    if (!family || family != comparable(right)) return;
    // The left one is of the fact's own level.
    if (out_.entries[static_cast<std::size_t>(left.entry)].level != fact.level) std::swap(left, right);
    if (out_.entries[static_cast<std::size_t>(left.entry)].level != fact.level) return;
    fact.left = left;
    fact.right = right;
    out_.facts.push_back(std::move(fact));
}

}  // namespace pgmosaic::planner

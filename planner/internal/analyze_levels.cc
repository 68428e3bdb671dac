#include <algorithm>

#include "planner/internal/analyzer.h"

namespace pgmosaic::planner {

namespace {

std::string output_name(const pg_query::Node& expression) {
    switch (expression.node_case()) {
        case pg_query::Node::kColumnRef: {
            const auto& fields = expression.column_ref().fields();
            return fields.empty() ? std::string() : fields[fields.size() - 1].string().sval();
        }
        case pg_query::Node::kFuncCall: return name_of(expression.func_call().funcname()).name;
        case pg_query::Node::kTypeCast: {
            const std::string inner = output_name(expression.type_cast().arg());
            return inner.empty() || inner == "?column?" ? name_of(expression.type_cast().type_name().names()).name : inner;
        }
        case pg_query::Node::kCollateClause: return output_name(expression.collate_clause().arg());
        case pg_query::Node::kCaseExpr: return "case";
        case pg_query::Node::kCoalesceExpr: return "coalesce";
        default: return "?column?";
    }
}

bool is_star(const pg_query::Node& node) {
    if (!node.has_column_ref()) return false;
    const auto& fields = node.column_ref().fields();
    return !fields.empty() && fields[fields.size() - 1].has_a_star();
}

}  // namespace

int Analyzer::new_level(int parent, Level::Role role) {
    Level level;
    level.parent = parent;
    level.role = role;
    level.from_view = context_.in_view;
    out_.levels.push_back(std::move(level));
    return static_cast<int>(out_.levels.size()) - 1;
}

int Analyzer::statement(const pg_query::Node& statement, int parent, Level::Role role) {
    if (statement.has_select_stmt()) return select(statement.select_stmt(), parent, role);
    const int level = new_level(parent, role);
    out_.levels[static_cast<std::size_t>(level)].write = &statement;
    if (role != Level::Role::kStatement) out_.has_modifying_cte = true;
    if (statement.has_insert_stmt()) insert(statement.insert_stmt(), level);
    if (statement.has_update_stmt()) update(statement.update_stmt(), level);
    if (statement.has_delete_stmt()) remove(statement.delete_stmt(), level);
    if (statement.has_merge_stmt()) merge(statement.merge_stmt(), level);
    return level;
}

int Analyzer::select(const pg_query::SelectStmt& select, int parent, Level::Role role, bool lateral) {
    const int level = new_level(parent, role);
    Level& made = out_.levels[static_cast<std::size_t>(level)];
    made.select = &select;
    made.lateral = lateral;
    made.has_limit = select.has_limit_count() || select.has_limit_offset();
    made.has_locking = select.locking_clause_size() > 0;
    made.has_order_by = select.sort_clause_size() > 0;
    made.has_group_by = select.group_clause_size() > 0;
    made.has_distinct = select.distinct_clause_size() > 0;
    out_.has_locking |= made.has_locking;
    const std::size_t ctes = ctes_.size();
    if (select.has_with_clause()) with_clause(select.with_clause(), level);
    if (select.op() != pg_query::SETOP_NONE && select.op() != pg_query::SET_OPERATION_UNDEFINED) {
        set_operation(select, level);
    } else if (select.values_lists_size() > 0) {
        values_lists(select, level);
    } else {
        plain_select(select, level);
    }
    for (const pg_query::Node& item : select.sort_clause()) children(item.sort_by(), level);
    if (select.has_limit_count()) expression(select.limit_count(), level);
    if (select.has_limit_offset()) expression(select.limit_offset(), level);
    ctes_.resize(ctes);
    return level;
}

void Analyzer::set_operation(const pg_query::SelectStmt& select, int level) {
    const int left = this->select(select.larg(), level, Level::Role::kOperand);
    const int right = this->select(select.rarg(), level, Level::Role::kOperand);
    Level& made = out_.levels[static_cast<std::size_t>(level)];
    made.operands = {left, right};
    made.output_names = out_.levels[static_cast<std::size_t>(left)].output_names;
    made.output_known = out_.levels[static_cast<std::size_t>(left)].output_known;
    made.output.assign(made.output_names.size(), nullptr);
    made.output_columns.assign(made.output_names.size(), std::nullopt);
}

void Analyzer::values_lists(const pg_query::SelectStmt& select, int level) {
    out_.levels[static_cast<std::size_t>(level)].is_values = true;
    for (const pg_query::Node& row : select.values_lists()) each(row.list().items(), level);
    const auto& first = select.values_lists(0).list().items();
    for (int i = 0; i < first.size(); ++i) {
        const pg_query::Node* sole = select.values_lists_size() == 1 ? &first[i] : nullptr;
        add_output(level, "column" + std::to_string(i + 1), sole, std::nullopt);
    }
}

void Analyzer::plain_select(const pg_query::SelectStmt& select, int level) {
    for (const pg_query::Node& item : select.from_clause()) from_item(item, level, false);
    if (select.has_where_clause()) {
        const std::vector<int> all = out_.levels[static_cast<std::size_t>(level)].entries;
        conditions(select.where_clause(), level, all, nullptr);
    }
    outputs(select, level);
    each(select.group_clause(), level);
    if (select.has_having_clause()) expression(select.having_clause(), level);
    each(select.window_clause(), level);
    each(select.distinct_clause(), level);
    Level& made = out_.levels[static_cast<std::size_t>(level)];
    made.has_windows |= select.window_clause_size() > 0;
    made.has_aggregates |= select.has_having_clause();
    group_items(select, level);
    distinct_items(select, level);
}

void Analyzer::with_clause(const pg_query::WithClause& with, int level) {
    for (const pg_query::Node& node : with.ctes()) {
        const pg_query::CommonTableExpr& cte = node.common_table_expr();
        const std::size_t own = ctes_.size();
        if (with.recursive()) ctes_.push_back({cte.ctename(), -1, &cte});
        const int query = statement(cte.ctequery(), level, Level::Role::kCte);
        ctes_.resize(own);
        ctes_.push_back({cte.ctename(), query, &cte});
        Level& made = out_.levels[static_cast<std::size_t>(query)];
        made.recursive = with.recursive() && !made.operands.empty();
        out_.levels[static_cast<std::size_t>(level)].ctes.push_back(query);
    }
}

void Analyzer::add_output(int level, std::string name, const pg_query::Node* expression, std::optional<ColumnNode> column) {
    Level& made = out_.levels[static_cast<std::size_t>(level)];
    made.output_names.push_back(std::move(name));
    made.output.push_back(expression);
    made.output_columns.push_back(column);
}

void Analyzer::outputs(const pg_query::SelectStmt& select, int level) {
    ++in_targets_;
    for (const pg_query::Node& node : select.target_list()) {
        const pg_query::ResTarget& target = node.res_target();
        if (is_star(target.val())) {
            star_outputs(target.val().column_ref(), level);
            continue;
        }
        expression(target.val(), level);
        const std::string name = target.name().empty() ? output_name(target.val()) : target.name();
        add_output(level, name, &target.val(), item_column(target.val(), level));
    }
    --in_targets_;
}

// `*` and `alias.*`; known if every column of every entry is, and no merged column changes the list.
void Analyzer::star_outputs(const pg_query::ColumnRef& star, int level) {
    const std::string qualifier = star.fields_size() > 1 ? star.fields(star.fields_size() - 2).string().sval() : std::string();
    const bool merges = std::any_of(out_.merged.begin(), out_.merged.end(), [&](const MergedColumn& each) { return each.level == level; });
    bool found = false;
    const std::vector<int> entries = out_.levels[static_cast<std::size_t>(level)].entries;
    for (int index : entries) {
        const RangeEntry& entry = out_.entries[static_cast<std::size_t>(index)];
        if (entry.target || (!qualifier.empty() && entry.alias != qualifier)) continue;
        found = true;
        if (!entry.columns_known || (merges && qualifier.empty())) out_.levels[static_cast<std::size_t>(level)].output_known = false;
        for (std::size_t c = 0; c < entry.columns.size(); ++c) {
            add_output(level, entry.columns[c], nullptr, ColumnNode{index, static_cast<int>(c)});
        }
    }
    if (!found) out_.levels[static_cast<std::size_t>(level)].output_known = false;
}

std::optional<ColumnNode> Analyzer::item_column(const pg_query::Node& item, int level) {
    if (!item.has_column_ref()) return std::nullopt;
    bool unknown = false;
    return find_column(item.column_ref(), level, unknown);
}

void Analyzer::group_items(const pg_query::SelectStmt& select, int level) {
    Level& made = out_.levels[static_cast<std::size_t>(level)];
    for (const pg_query::Node& item : select.group_clause()) {
        if (item.has_grouping_set()) made.has_grouping_sets = true;
        std::optional<ColumnNode> column;
        if (item.has_a_const() && item.a_const().has_ival()) {
            const auto position = static_cast<std::size_t>(item.a_const().ival().ival() - 1);
            if (made.output_known && position < made.output_columns.size()) column = made.output_columns[position];
        } else {
            column = item_column(item, level);
            const auto& name = item.has_column_ref() && item.column_ref().fields_size() == 1 ? item.column_ref().fields(0).string().sval()
                                                                                             : std::string();
            for (std::size_t i = 0; !column && !name.empty() && i < made.output_names.size(); ++i) {
                if (made.output_names[i] == name) column = made.output_columns[i];
            }
        }
        if (column) made.group_columns.push_back(*column);
    }
}

void Analyzer::distinct_items(const pg_query::SelectStmt& select, int level) {
    Level& made = out_.levels[static_cast<std::size_t>(level)];
    if (!made.has_distinct) return;
    const bool plain = select.distinct_clause_size() == 1 && select.distinct_clause(0).node_case() == pg_query::Node::NODE_NOT_SET;
    if (!plain) {
        for (const pg_query::Node& item : select.distinct_clause()) {
            if (const auto column = item_column(item, level)) made.distinct_columns.push_back(*column);
        }
        return;
    }
    for (const auto& column : made.output_columns) {
        if (column) made.distinct_columns.push_back(*column);
    }
}

void Analyzer::insert(const pg_query::InsertStmt& insert, int level) {
    const std::size_t ctes = ctes_.size();
    if (insert.has_with_clause()) with_clause(insert.with_clause(), level);
    if (insert.has_select_stmt()) {
        // The target is not in FROM of its own source: it comes after.
        const int source = statement(insert.select_stmt(), level, Level::Role::kFromQuery);
        out_.levels[static_cast<std::size_t>(level)].source = source;
    }
    relation(insert.relation(), level, false, true);
    if (insert.has_on_conflict_clause()) {
        each(insert.on_conflict_clause().target_list(), level);
        if (insert.on_conflict_clause().has_where_clause()) expression(insert.on_conflict_clause().where_clause(), level);
    }
    each(insert.returning_list(), level);
    ctes_.resize(ctes);
}

void Analyzer::update(const pg_query::UpdateStmt& update, int level) {
    const std::size_t ctes = ctes_.size();
    if (update.has_with_clause()) with_clause(update.with_clause(), level);
    relation(update.relation(), level, false, true);
    for (const pg_query::Node& item : update.from_clause()) from_item(item, level, false);
    const std::vector<int> all = out_.levels[static_cast<std::size_t>(level)].entries;
    if (update.has_where_clause()) conditions(update.where_clause(), level, all, nullptr);
    each(update.target_list(), level);
    each(update.returning_list(), level);
    ctes_.resize(ctes);
}

void Analyzer::remove(const pg_query::DeleteStmt& remove, int level) {
    const std::size_t ctes = ctes_.size();
    if (remove.has_with_clause()) with_clause(remove.with_clause(), level);
    relation(remove.relation(), level, false, true);
    for (const pg_query::Node& item : remove.using_clause()) from_item(item, level, false);
    const std::vector<int> all = out_.levels[static_cast<std::size_t>(level)].entries;
    if (remove.has_where_clause()) conditions(remove.where_clause(), level, all, nullptr);
    each(remove.returning_list(), level);
    ctes_.resize(ctes);
}

void Analyzer::merge(const pg_query::MergeStmt& merge, int level) {
    const std::size_t ctes = ctes_.size();
    if (merge.has_with_clause()) with_clause(merge.with_clause(), level);
    const std::vector<int> target = relation(merge.relation(), level, false, true);
    from_item(merge.source_relation(), level, false);
    // Source rows without a match count, too (WHEN NOT MATCHED): the condition binds the target only.
    if (merge.has_join_condition()) conditions(merge.join_condition(), level, target, nullptr);
    each(merge.merge_when_clauses(), level);
    ctes_.resize(ctes);
}

}  // namespace pgmosaic::planner

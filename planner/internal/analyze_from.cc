#include <algorithm>

#include "planner/internal/analyzer.h"
#include "planner/internal/spread_sizes.h"
#include "planner/plan_details.h"

namespace pgmosaic::planner {

namespace {

constexpr int kViewDepthMax = 40;

std::vector<int> joined(std::vector<int> left, const std::vector<int>& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

}  // namespace

int Analyzer::add_entry(RangeEntry entry, int level) {
    entry.level = level;
    out_.entries.push_back(std::move(entry));
    const int index = static_cast<int>(out_.entries.size()) - 1;
    out_.levels[static_cast<std::size_t>(level)].entries.push_back(index);
    const int query = out_.entries.back().query;
    if (query >= 0) {
        Level& behind = out_.levels[static_cast<std::size_t>(query)];
        behind.entry = index;
        ++behind.references;
    }
    return index;
}

std::vector<int> Analyzer::from_item(const pg_query::Node& item, int level, bool nullable) {
    switch (item.node_case()) {
        case pg_query::Node::kRangeVar: return relation(item.range_var(), level, nullable);
        case pg_query::Node::kRangeSubselect: return subselect(item.range_subselect(), level, nullable);
        case pg_query::Node::kJoinExpr: return join(item.join_expr(), level, nullable);
        case pg_query::Node::kRangeTableSample: {
            out_.has_volatile = out_.has_loose_volatile = out_.has_volatile_expression = true;
            each(item.range_table_sample().args(), level);
            return from_item(item.range_table_sample().relation(), level, nullable);
        }
        default: break;
    }
    RangeEntry entry;
    entry.kind = RangeEntry::Kind::kFunction;
    entry.nullable = nullable;
    if (item.has_range_function()) {
        if (auto distributed = function_in_from(item.range_function(), level)) {
            distributed->nullable = nullable;
            return {add_entry(std::move(*distributed), level)};
        }
        entry.alias = item.range_function().alias().aliasname();
        entry.lateral = true;
    }
    if (item.has_range_table_func()) entry.alias = item.range_table_func().alias().aliasname();
    children(item, level);
    return {add_entry(std::move(entry), level)};
}

void Analyzer::rename_columns(const pg_query::Alias& alias, RangeEntry& entry) {
    for (int i = 0; i < alias.colnames_size(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (at < entry.columns.size()) entry.columns[at] = alias.colnames(i).string().sval();
    }
}

bool Analyzer::cte_reference(const pg_query::RangeVar& relation, RangeEntry& entry) {
    if (!relation.schemaname().empty()) return false;
    for (auto each = ctes_.rbegin(); each != ctes_.rend(); ++each) {
        if (each->name != relation.relname()) continue;
        entry.cte = true;
        if (each->level < 0) {
            entry.kind = RangeEntry::Kind::kFunction;  // a recursive query that reads itself
            return true;
        }
        const Level& behind = out_.levels[static_cast<std::size_t>(each->level)];
        entry.kind = RangeEntry::Kind::kQuery;
        entry.query = each->level;
        entry.columns = behind.output_names;
        entry.columns_known = behind.output_known && behind.write == nullptr;
        for (int i = 0; i < each->cte->aliascolnames_size(); ++i) {
            const auto at = static_cast<std::size_t>(i);
            if (at < entry.columns.size()) entry.columns[at] = each->cte->aliascolnames(i).string().sval();
        }
        return true;
    }
    return false;
}

std::vector<int> Analyzer::relation(const pg_query::RangeVar& relation, int level, bool nullable, bool target) {
    RangeEntry entry;
    entry.range_var = &relation;
    entry.alias = relation.has_alias() ? relation.alias().aliasname() : relation.relname();
    entry.nullable = nullable;
    entry.target = target;
    if (target || !cte_reference(relation, entry)) {
        entry.table = context_.find_table(relation);
        entry.kind = entry.table ? RangeEntry::Kind::kTable : RangeEntry::Kind::kUnknownTable;
        if (entry.table) {
            for (const Column& column : entry.table->columns) entry.columns.push_back(column.name);
            entry.columns_known = true;
        }
        note_table(entry);
        if (entry.table && entry.table->kind == 'v') view(entry, level);
    }
    if (relation.has_alias()) rename_columns(relation.alias(), entry);
    return {add_entry(std::move(entry), level)};
}

void Analyzer::note_table(const RangeEntry& entry) {
    if (!entry.table) {
        if (entry.range_var->schemaname() == "mosaic") out_.admin_views.push_back(entry.range_var->relname());
        if (is_statistics_view(*entry.range_var)) {
            out_.tells_sizes = true;
            note_sizes(entry.range_var->relname());
        }
        out_.touches_unknown = true;
        return;
    }
    out_.touches_temporary |= entry.table->temporary;
    if (entry.table->kind == 'v') return;  // what stands behind it counts
    out_.touches_sharded |= entry.table->placement == Placement::kSharded;
    out_.touches_reference |= entry.table->placement == Placement::kReference;
    out_.touches_local |= entry.table->placement == Placement::kLocal;
}

// A view is looked through for the proof; the text that is sent still names it.
void Analyzer::view(RangeEntry& entry, int level) {
    auto tree = std::make_unique<ParsedTree>();
    parse(entry.table->view_definition, *tree);
    const bool readable = tree->result && tree->result->stmts_size() == 1 && view_depth_ < kViewDepthMax;
    if (!readable && !has_spread_tables(context_.catalog)) {
        out_.touches_local = true;  // all that can stand behind it
        return;
    }
    if (!readable) {
        throw PgError(refusal("cannot look through view \"" + entry.table->name + "\"",
                              "Its definition could not be read, so it is not known which tables stand behind it."));
    }
    const bool outer = context_.in_view;
    std::vector<CteName> hidden;
    hidden.swap(ctes_);
    context_.in_view = true;
    ++view_depth_;
    entry.kind = RangeEntry::Kind::kQuery;
    entry.query = statement(tree->result->stmts(0).stmt(), -1, Level::Role::kView);
    --view_depth_;
    context_.in_view = outer;
    ctes_.swap(hidden);
    static_cast<void>(level);
    out_.view_trees.push_back(std::move(tree));
}

std::vector<int> Analyzer::subselect(const pg_query::RangeSubselect& subselect, int level, bool nullable) {
    RangeEntry entry;
    entry.kind = RangeEntry::Kind::kQuery;
    entry.alias = subselect.alias().aliasname();
    entry.nullable = nullable;
    entry.lateral = subselect.lateral();
    entry.query = select(subselect.subquery().select_stmt(), level, Level::Role::kFromQuery, subselect.lateral());
    const Level& behind = out_.levels[static_cast<std::size_t>(entry.query)];
    entry.columns = behind.output_names;
    entry.columns_known = behind.output_known;
    rename_columns(subselect.alias(), entry);
    return {add_entry(std::move(entry), level)};
}

std::vector<int> Analyzer::join(const pg_query::JoinExpr& join, int level, bool nullable) {
    const bool full = join.jointype() == pg_query::JOIN_FULL;
    const bool fills_left = full || join.jointype() == pg_query::JOIN_RIGHT;
    const bool fills_right = full || join.jointype() == pg_query::JOIN_LEFT;
    const std::vector<int> left = from_item(join.larg(), level, nullable || fills_left);
    const std::vector<int> right = from_item(join.rarg(), level, nullable || fills_right);
    Level& made = out_.levels[static_cast<std::size_t>(level)];
    made.has_outer_join |= fills_left || fills_right;
    made.has_full_join |= full;
    // ON filters both sides of an inner join, and only the side that may be filled with NULLs of an outer one.
    std::vector<int> valid_for;
    if (!fills_left && !fills_right) valid_for = joined(left, right);
    else if (!full) valid_for = fills_left ? left : right;
    if (join.using_clause_size() > 0 || join.is_natural()) merge_columns(join, level, left, right, valid_for);
    if (join.has_quals()) conditions(join.quals(), level, valid_for, &join);
    return joined(left, right);
}

void Analyzer::merge_columns(const pg_query::JoinExpr& join, int level, const std::vector<int>& left,
                             const std::vector<int>& right, const std::vector<int>& valid_for) {
    const auto find_in = [&](const std::vector<int>& side, const std::string& name) -> std::optional<ColumnNode> {
        for (int index : side) {
            const std::vector<std::string>& columns = out_.entries[static_cast<std::size_t>(index)].columns;
            const auto found = std::find(columns.begin(), columns.end(), name);
            if (found != columns.end()) return ColumnNode{index, static_cast<int>(found - columns.begin())};
        }
        return std::nullopt;
    };
    std::vector<std::string> names;
    for (const pg_query::Node& name : join.using_clause()) names.push_back(name.string().sval());
    if (join.is_natural()) {
        for (int index : left) {
            for (const std::string& name : out_.entries[static_cast<std::size_t>(index)].columns) {
                if (find_in(right, name)) names.push_back(name);
            }
        }
    }
    for (const std::string& name : names) {
        const auto in_left = find_in(left, name), in_right = find_in(right, name);
        Fact fact{.level = level, .valid_for = valid_for, .join = &join};
        if (in_left && in_right) add_column_fact(*in_left, *in_right, fact);
        std::optional<ColumnNode> node = in_left;
        if (join.jointype() == pg_query::JOIN_RIGHT) node = in_right;
        if (join.jointype() == pg_query::JOIN_FULL) node = std::nullopt;
        out_.merged.push_back({level, name, node});
    }
}

}  // namespace pgmosaic::planner

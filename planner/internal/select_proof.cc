#include "planner/internal/select_proof.h"

#include <algorithm>

#include "planner/internal/select_build.h"

namespace pgmosaic::planner {

namespace {

/// Which levels and entries contain sharded tables in their FROM, through sub-queries; sub-queries in expressions do not count.
class Connections {
   public:
    explicit Connections(const QueryAnalysis& analysis) : analysis_(analysis) {}

    bool level(int index) const {
        const Level& level = analysis_.levels[static_cast<std::size_t>(index)];
        const auto has = [&](int each) { return entry(each); };
        return std::any_of(level.entries.begin(), level.entries.end(), has) ||
               std::any_of(level.operands.begin(), level.operands.end(), [&](int each) { return this->level(each); });
    }
    bool entry(int index) const {
        const RangeEntry& entry = analysis_.entries[static_cast<std::size_t>(index)];
        if (analysis_.is_split(entry)) return true;
        return entry.kind == RangeEntry::Kind::kQuery && entry.query >= 0 && level(entry.query);
    }

   private:
    const QueryAnalysis& analysis_;
};

class Proof {
   public:
    explicit Proof(const QueryAnalysis& analysis) : analysis_(analysis), reach_(analysis) {}

    std::string run() {
        if (analysis_.touches_local || analysis_.touches_temporary) return "a local table takes part, whose rows are on the home shard only";
        if (analysis_.touches_unknown) return "a relation that is not known takes part";
        if (analysis_.has_loose_volatile && (analysis_.levels.size() > 1 || analysis_.entries.size() > 1)) {
            return "a volatile function takes part, which each shard would call on its own";
        }
        if (std::string why = check_calls(); !why.empty()) return why;
        if (!analysis_.colocated()) return "sharded tables are not tied to each other by equality of their shard keys";
        for (std::size_t i = 0; i < analysis_.levels.size(); ++i) {
            std::string why = check_level(static_cast<int>(i));
            if (!why.empty()) return why;
        }
        return {};
    }

   private:
    // On every shard a call with a key would run for nothing, unless rows that only one shard has call it.
    std::string check_calls() const {
        for (std::size_t i = 0; i < analysis_.entries.size(); ++i) {
            const RangeEntry& entry = analysis_.entries[i];
            if (entry.kind != RangeEntry::Kind::kCall) continue;
            const std::string name = "function \"" + entry.table->name + "\"";
            if (analysis_.levels[static_cast<std::size_t>(entry.level)].has_outer_join) return name + " is called beside an outer join";
            if (entry.on_all) continue;
            const std::vector<ColumnNode> equal = analysis_.equal_columns({static_cast<int>(i), 0});
            const bool by_rows = std::any_of(equal.begin(), equal.end(), [&](ColumnNode node) {
                const RangeEntry& other = analysis_.entries[static_cast<std::size_t>(node.entry)];
                return other.kind == RangeEntry::Kind::kTable && analysis_.is_split(other) && other.table->key == node.column;
            });
            if (!by_rows) return name + " is not called with a value, or with the shard key of a table's rows";
        }
        return {};
    }

    std::string check_level(int index) {
        const Level& level = analysis_.levels[static_cast<std::size_t>(index)];
        if (!reach_.level(index)) {
            std::string why = sublinks_of_replicated(level);
            // Each shard would give all of them, as where a WITH query over a sharded table is not asked at all.
            return !why.empty() || index > 0 ? why : "the statement's own rows are on every shard";
        }
        if (!level.select) return "a sub-query writes";
        if (!level.operands.empty()) return "sharded tables take part in a set operation";
        if (level.recursive) return "a sharded table takes part in a recursive query";
        const std::string why = index == 0 ? std::string() : check_sub_query(level);
        return why.empty() ? check_joins(level) : why;
    }

    // A level of reference tables and functions is the same everywhere, unless an expression in it looks at a part of a
    // sharded table: then the tie of keys proves only that the right rows are seen by rows of the same key.
    std::string sublinks_of_replicated(const Level& level) {
        for (int sub : level.sublinks) {
            if (reach_.level(sub)) return "a sub-query over a sharded table is asked by rows that are on every shard";
        }
        // Which rows are first may differ from copy to copy.
        const bool chooses = level.has_limit || level.has_windows || level.has_distinct;
        return chooses && !level.entries.empty() ? "a sub-query over reference tables chooses rows by their order" : std::string();
    }

    // Rows of one key must stay together; what a correlated sub-query in an expression does with its rows is its own matter.
    std::string check_sub_query(const Level& level) {
        if (level.role == Level::Role::kSubLink) return {};
        if (level.has_limit) return "a sub-query over a sharded table has LIMIT";
        if (level.has_windows) return "a sub-query over a sharded table has window functions";
        if (level.has_grouping_sets) return "a sub-query over a sharded table has GROUPING SETS";
        const auto has_key = [&](const std::vector<ColumnNode>& nodes) {
            return std::any_of(nodes.begin(), nodes.end(), [&](ColumnNode node) { return is_key(analysis_, node); });
        };
        if ((level.has_group_by || level.has_aggregates) && !has_key(level.group_columns)) {
            return "a sub-query aggregates a sharded table without its shard key in GROUP BY";
        }
        if (level.has_distinct && !has_key(level.distinct_columns)) return "a sub-query makes rows of a sharded table distinct without its shard key";
        return {};
    }

    std::string check_joins(const Level& level) {
        if (level.has_full_join) return "a sharded table takes part in a full join";
        if (!level.has_outer_join) return {};
        for (const pg_query::Node& item : level.select->from_clause()) {
            std::string why = check_item(item, level);
            if (!why.empty()) return why;
        }
        return {};
    }

    // A side that is the same everywhere must not be the one that an outer join keeps, beside one that is split.
    std::string check_item(const pg_query::Node& item, const Level& level) {
        if (!item.has_join_expr()) return {};
        const pg_query::JoinExpr& join = item.join_expr();
        for (const pg_query::Node* side : {&join.larg(), &join.rarg()}) {
            std::string why = check_item(*side, level);
            if (!why.empty()) return why;
        }
        if (join.jointype() == pg_query::JOIN_INNER) return {};
        const bool left = join.jointype() == pg_query::JOIN_LEFT;
        const pg_query::Node& kept = left ? join.larg() : join.rarg();
        const pg_query::Node& filled = left ? join.rarg() : join.larg();
        if (!splits(filled, level) || splits(kept, level)) return {};
        return "an outer join keeps rows of a table that is not sharded, beside a sharded one";
    }

    bool splits(const pg_query::Node& item, const Level& level) {
        if (item.has_join_expr()) return splits(item.join_expr().larg(), level) || splits(item.join_expr().rarg(), level);
        const auto alias = alias_of(item);
        return std::any_of(level.entries.begin(), level.entries.end(), [&](int index) {
            return analysis_.entries[static_cast<std::size_t>(index)].alias == alias && reach_.entry(index);
        });
    }

    static std::string alias_of(const pg_query::Node& item) {
        if (item.has_range_subselect()) return item.range_subselect().alias().aliasname();
        if (item.has_range_function()) return item.range_function().alias().aliasname();
        if (item.has_range_table_sample()) return alias_of(item.range_table_sample().relation());
        if (!item.has_range_var()) return {};
        return item.range_var().has_alias() ? item.range_var().alias().aliasname() : item.range_var().relname();
    }

    const QueryAnalysis& analysis_;
    Connections reach_;
};

}  // namespace

std::string why_not_on_each_shard(const QueryAnalysis& analysis) { return Proof(analysis).run(); }

bool is_key(const QueryAnalysis& analysis, ColumnNode node) {
    // A column that an outer join may fill with NULL has that NULL on every shard.
    for (ColumnNode behind = node;;) {
        const RangeEntry& entry = analysis.entries[static_cast<std::size_t>(behind.entry)];
        if (entry.nullable) return false;
        if (entry.kind != RangeEntry::Kind::kQuery || entry.query < 0) break;
        const Level& level = analysis.levels[static_cast<std::size_t>(entry.query)];
        const auto column = static_cast<std::size_t>(behind.column);
        if (!level.operands.empty() || column >= level.output_columns.size() || !level.output_columns[column]) return false;
        behind = *level.output_columns[column];
    }
    for (const ColumnNode& equal : analysis.equal_columns(node)) {
        const RangeEntry& entry = analysis.entries[static_cast<std::size_t>(equal.entry)];
        if (analysis.is_split(entry) && entry.table->key == equal.column) return true;
    }
    return false;
}

}  // namespace pgmosaic::planner

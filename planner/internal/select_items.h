#pragma once

#include <optional>
#include <string>
#include <vector>

#include "planner/internal/analysis.h"
#include "planner/internal/select_types.h"
#include "planner/plan.h"

namespace pgmosaic::planner {

/// What GROUP BY, ORDER BY and DISTINCT ON of the statement's own level name: positions and aliases resolved.
struct Item {
    pg_query::Node expression{};
    std::optional<int> output{};  ///< the result column that it is
};

/// An item of ORDER BY.
struct OrderItem {
    Item item{};
    bool descending = false;
    bool nulls_first = false;
};

/// The select list and the clauses that refer to it, of the statement's own level.
///
/// Errors  NotHere where something cannot be told apart; the plan then leaves it to the workbench
class SelectItems {
   public:
    /// Why a plan does not apply. Never leaves the planner.
    struct NotHere {
        std::string why{};
    };

    SelectItems(const QueryAnalysis& analysis, const pg_query::SelectStmt& select) : analysis_(analysis), select_(select) {}

    /// Number of result columns. Throws NotHere if it is not known.
    std::uint16_t columns() const;
    /// The expression of a result column.
    pg_query::Node output(int index) const;
    std::vector<Item> group_by() const;
    std::vector<OrderItem> order_by() const;
    std::vector<Item> distinct_on() const;  ///< empty for a plain DISTINCT
    /// True if both mean the same column or are written alike.
    bool same(const pg_query::Node& left, const pg_query::Node& right) const;
    /// The result column that an expression is; nullopt if it is none.
    std::optional<int> find_output(const pg_query::Node& expression) const;

   private:
    const Level& level() const { return analysis_.levels.front(); }
    Item at_position(std::int64_t position) const;
    std::optional<Item> output_named(const pg_query::Node& node) const;

    const QueryAnalysis& analysis_;
    const pg_query::SelectStmt& select_;
};

/// Columns that are appended to the select list for the coordinator, each once.
class HiddenColumns {
   public:
    HiddenColumns(pg_query::SelectStmt& shard_select, std::uint16_t visible) : select_(shard_select), visible_(visible) {}
    /// The number of the column among those of the shards' rows.
    std::uint16_t add(const pg_query::Node& expression);
    std::uint16_t count() const { return static_cast<std::uint16_t>(texts_.size()); }

   private:
    pg_query::SelectStmt& select_;
    std::uint16_t visible_;
    std::vector<std::string> texts_;
};

/// LIMIT and OFFSET as values that the coordinator knows when the statement runs. Throws NotHere for expressions, WITH TIES.
struct Counts {
    CountRef limit{};
    CountRef offset{};
};
Counts counts_of(const pg_query::SelectStmt& select, PlanContext& context);
/// Gives each shard LIMIT (limit + offset) and no OFFSET. Returns false if nothing had to change.
bool push_counts(const Counts& counts, PlanContext& context, pg_query::SelectStmt& shard_select);

}  // namespace pgmosaic::planner

#pragma once

#include <string>

#include "planner/internal/analysis.h"
#include "planner/internal/select_items.h"
#include "planner/internal/select_types.h"
#include "planner/plan.h"

namespace pgmosaic::planner {

/// Plans a SELECT as one statement per shard whose rows the coordinator merges: concatenated, sorted, made distinct, or as
/// partial aggregates. Needs the proof of why_not_on_each_shard().
///
/// Errors  SelectItems::NotHere with the reason why the merge cannot do it
class ScatterPlanner {
   public:
    ScatterPlanner(const QueryAnalysis& analysis, const pg_query::SelectStmt& select, PlanContext& context);
    Scatter plan();
    /// What plan() does, for EXPLAIN.
    const std::string& reason() const { return reason_; }

   private:
    void check_windows() const;
    bool rows_stay_whole() const;
    Scatter rows();
    void sort_rows(HiddenColumns& hidden, MergeSpec& merge);
    void distinct_rows(HiddenColumns& hidden, MergeSpec& merge);
    SortKey sort_key(const pg_query::Node& expression, const OrderItem& order, HiddenColumns& hidden) const;
    void check_repeatable() const;
    SortKey group_key(const pg_query::Node& expression, HiddenColumns& hidden) const;

    // select_aggregate.cc
    Scatter aggregates();
    OutputColumn aggregate_output(const pg_query::Node& expression, std::uint16_t index, HiddenColumns& hidden) const;
    OutputColumn aggregate_call(const pg_query::FuncCall& call, std::uint16_t index, HiddenColumns& hidden) const;
    OutputColumn sum_or_average(const pg_query::FuncCall& call, Oid argument, HiddenColumns& hidden) const;
    void order_aggregates(const std::vector<Item>& groups, MergeSpec& merge) const;

    void finish(const pg_query::SelectStmt& shard_select, bool changed, Scatter& scatter) const;
    void prune(Scatter& scatter) const;

    const QueryAnalysis& analysis_;
    const pg_query::SelectStmt& select_;
    PlanContext& context_;
    const Level& level_;
    SelectItems items_;
    TypeFinder types_;
    std::string reason_;
};

}  // namespace pgmosaic::planner

#pragma once

#include <set>
#include <string>
#include <vector>

#include "planner/internal/analysis.h"
#include "planner/internal/select_items.h"
#include "planner/internal/select_types.h"
#include "planner/plan.h"

namespace pgmosaic::planner {

/// Plans an aggregating SELECT whose groups are split over shards, where the coordinator's merge cannot finish (HAVING,
/// expressions over aggregates, windows over groups …): each shard sends partial aggregates, one row per group, and the
/// statement itself runs over those on the workbench, its aggregates replaced by what recombines them.
///
/// Errors  SelectItems::NotHere where an aggregate has no parts or a type is not known; PgError as WorkbenchPlanner
class PartialPlanner {
   public:
    PartialPlanner(const QueryAnalysis& analysis, const pg_query::SelectStmt& select, PlanContext& context);
    Workbench plan();

   private:
    using Nodes = google::protobuf::RepeatedPtrField<pg_query::Node>;
    struct Part {
        std::string text{};  ///< to find it again
        std::string name{};
    };

    void split_groups();
    void replace(pg_query::Node& node);
    void replace_each(Nodes& nodes);
    void replace_children(google::protobuf::Message& message);
    void replace_order(Nodes& nodes);
    pg_query::Node recombined(const pg_query::FuncCall& call);
    pg_query::Node recombined_sum(const pg_query::FuncCall& call, Oid argument);
    pg_query::Node recombined_average(const pg_query::FuncCall& call, Oid argument);
    pg_query::Node distinct_again(const pg_query::FuncCall& call);
    bool of_key(const pg_query::FuncCall& call) const;
    std::string group_part(const pg_query::Node& expression);
    std::string part(const pg_query::Node& expression, const std::string& definition);
    std::string definition_of(const pg_query::Node& expression) const;
    std::string collation_of(const pg_query::Node& expression) const;

    const QueryAnalysis& analysis_;
    const pg_query::SelectStmt& select_;
    PlanContext& context_;
    SelectItems items_;
    TypeFinder types_;
    std::vector<Item> groups_;
    std::vector<std::string> group_names_;
    std::vector<Part> parts_;
    std::set<std::string> grouped_;  ///< names of parts that the shards group by
    pg_query::SelectStmt shard_select_;
    Pull pull_;
};

}  // namespace pgmosaic::planner

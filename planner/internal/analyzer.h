#pragma once

#include <map>
#include <string>
#include <vector>

#include "planner/internal/analysis.h"
#include "planner/internal/functions.h"

namespace pgmosaic::planner {

/// Builds a QueryAnalysis: names resolved, levels, conjuncts and facts collected. Used by analyze() only.
class Analyzer {
   public:
    Analyzer(PlanContext& context, QueryAnalysis& analysis) : context_(context), out_(analysis) {}

    int statement(const pg_query::Node& statement, int parent, Level::Role role);

   private:
    using Nodes = google::protobuf::RepeatedPtrField<pg_query::Node>;
    using Message = google::protobuf::Message;

    /// The names that WITH clauses give, innermost last. `level` is -1 while a recursive query reads itself.
    struct CteName { std::string name; int level = -1; const pg_query::CommonTableExpr* cte = nullptr; };

    // levels.cc
    int new_level(int parent, Level::Role role);
    int select(const pg_query::SelectStmt& select, int parent, Level::Role role, bool lateral = false);
    void set_operation(const pg_query::SelectStmt& select, int level);
    void values_lists(const pg_query::SelectStmt& select, int level);
    void plain_select(const pg_query::SelectStmt& select, int level);
    void with_clause(const pg_query::WithClause& with, int level);
    void outputs(const pg_query::SelectStmt& select, int level);
    void star_outputs(const pg_query::ColumnRef& star, int level);
    void add_output(int level, std::string name, const pg_query::Node* expression, std::optional<ColumnNode> column);
    void group_items(const pg_query::SelectStmt& select, int level);
    void distinct_items(const pg_query::SelectStmt& select, int level);
    std::optional<ColumnNode> item_column(const pg_query::Node& item, int level);
    void insert(const pg_query::InsertStmt& insert, int level);
    void update(const pg_query::UpdateStmt& update, int level);
    void remove(const pg_query::DeleteStmt& remove, int level);
    void merge(const pg_query::MergeStmt& merge, int level);

    // from.cc
    std::vector<int> from_item(const pg_query::Node& item, int level, bool nullable);
    std::vector<int> relation(const pg_query::RangeVar& relation, int level, bool nullable, bool target = false);
    std::vector<int> subselect(const pg_query::RangeSubselect& subselect, int level, bool nullable);
    std::vector<int> join(const pg_query::JoinExpr& join, int level, bool nullable);
    void merge_columns(const pg_query::JoinExpr& join, int level, const std::vector<int>& left, const std::vector<int>& right,
                       const std::vector<int>& valid_for);
    int add_entry(RangeEntry entry, int level);
    bool cte_reference(const pg_query::RangeVar& relation, RangeEntry& entry);
    void view(RangeEntry& entry, int level);
    void note_table(const RangeEntry& entry);
    void rename_columns(const pg_query::Alias& alias, RangeEntry& entry);

    // calls.cc
    std::optional<RangeEntry> function_in_from(const pg_query::RangeFunction& from, int level);
    void call(const pg_query::FuncCall& call, const Function& function, int level);

    // conditions.cc
    void conditions(const pg_query::Node& condition, int level, const std::vector<int>& valid_for, const pg_query::JoinExpr* join);
    void conjunct(const pg_query::Node& condition, int level, const std::vector<int>& valid_for, const pg_query::JoinExpr* join);
    using Bindings = std::map<ColumnNode, KeyAlternatives>;
    Bindings bindings(const pg_query::Node& condition, int level);
    void equality_bindings(const pg_query::Node& left, const pg_query::Node& right, int level, Bindings& found);
    void column_equalities(const pg_query::Node& condition, Fact fact);
    void add_column_fact(ColumnNode left, ColumnNode right, Fact fact);
    bool is_equality(const Nodes& operator_name) const;
    std::optional<shardmap::KeyFamily> comparable(ColumnNode node) const;
    void in_sublink(const pg_query::SubLink& link, int sub_level, int level);

    // expressions.cc
    void expression(const pg_query::Node& node, int level);
    void children(const Message& message, int level);
    void each(const Nodes& nodes, int level);
    void function(const pg_query::FuncCall& call, int level);
    /// Sizes, estimates and counters of sharded tables are asked of all shards.
    void note_sizes(std::string_view name);
    void mark_aggregate(const pg_query::FuncCall& call, int level);
    int sublink(const pg_query::SubLink& link, int level);
    void column(const pg_query::ColumnRef& reference, int level);

    PlanContext& context_;
    QueryAnalysis& out_;
    std::vector<CteName> ctes_;
    std::vector<Conjunct*> collectors_;   ///< conjuncts that are being read
    std::vector<int> collector_levels_;
    int in_targets_ = 0;                  ///< > 0 while a target list is being read
    int view_depth_ = 0;

   public:
    /// Where a column reference of that level points to; also sets `unknown` if it cannot be said.
    std::optional<ColumnNode> find_column(const pg_query::ColumnRef& reference, int level, bool& unknown) const;

   private:
    int next_scope(int level) const;
    std::optional<ColumnNode> find_in_level(const std::string& schema, const std::string& qualifier, const std::string& name,
                                            int level, bool& unknown) const;
    const MergedColumn* find_merged(int level, const std::string& name) const;
};

}  // namespace pgmosaic::planner

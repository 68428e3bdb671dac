#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "planner/internal/analysis.h"
#include "planner/internal/functions.h"
#include "planner/internal/select_plan.h"
#include "planner/internal/text_edits.h"
#include "planner/plan.h"
#include "planner/plan_details.h"

namespace pgmosaic::planner {

/// Plans a SELECT as pulls of its tables and the statement itself over the pulled rows: right for every SELECT whose text
/// means the same on a PostgreSQL that has these rows, the user's types and functions, and no other tables. Where the statement's own text is known, only
/// the names in it are changed; else the tree is written anew.
///
/// Errors  PgError 0A000 for what that PostgreSQL does not know: functions that read tables, system columns, catalogs,
///         TABLESAMPLE, rows of a table as a value. 42P01 for a table that does not exist
class WorkbenchPlanner {
   public:
    WorkbenchPlanner(const QueryAnalysis& analysis, PlanContext& context);
    Workbench plan(const pg_query::SelectStmt& select, std::optional<SelectText> text);
    /// The same for a statement that writes, itself or in WITH: its tables are pulled with what says which rows they are. (write_workbench.cc)
    Workbench plan_write(const pg_query::Node& statement, std::optional<SelectText> text, std::vector<WrittenTable>& written);

   private:
    using Message = google::protobuf::Message;
    /// One temporary table: all rows of a table, or with ONLY without its children's.
    using Source = std::pair<const Table*, bool>;
    struct PulledTable {
        std::string name{};
        bool all_columns = false;
        int occurrences = 0;
        const RangeEntry* entry = nullptr;  ///< the only one, if it occurs once
        bool primary_key = false;           ///< GROUP BY relies on it
        bool target = false;
    };

    void collect_entries();
    void collect_target_stars();
    void need_columns_of(const std::string& alias);
    void rewrite(const Message& original, Message& copy);
    bool visit(const Message& original, Message& copy);
    void relation(const pg_query::RangeVar& original, pg_query::Node& copy);
    void inline_view(const RangeEntry& entry, const pg_query::RangeVar& original, pg_query::Node& copy);
    void column(const pg_query::ColumnRef& original, pg_query::ColumnRef& copy);
    void allow_whole_rows(const pg_query::FuncCall& call);
    Pull pull(const Source& source, const PulledTable& table);
    std::vector<int> column_list(const Source& source, const PulledTable& table) const;
    static std::string key_definition(const Table& table);
    std::string definition(const Source& source, const PulledTable& table, const std::vector<int>& columns) const;
    std::string filters(const PulledTable& table) const;

    // write_workbench.cc
    void target_relation(const pg_query::RangeVar& original, pg_query::RangeVar& copy);
    void need_parts_of_columns();
    WrittenTable describe_table(const Table& table) const;
    WrittenTable written_table(const Source& source, const PulledTable& table);
    WrittenTable inserted_table(const Table& table, const std::string& name);
    void read_actions(const Level& level, const Table& table, WrittenTable& written) const;
    void read_rows_in_the_way(const Table& table, WrittenTable& written) const;
    void read_identity(const Table& table, WrittenTable& written) const;
    void read_pull(const Source& source, const PulledTable& table, WrittenTable& written) const;
    std::string full_definition(const Table& table, bool primary_key) const;
    bool may_push(const Conjunct& conjunct, const RangeEntry& entry, int index) const;

    const QueryAnalysis& analysis_;
    PlanContext& context_;
    std::map<const pg_query::RangeVar*, const RangeEntry*> by_range_var_;
    std::map<Source, PulledTable> tables_;
    std::map<const Table*, std::string> into_;  ///< targets of INSERT: what is inserted is apart from what is read
    std::vector<Source> targets_;               ///< in the order of the statement: what refers to a row comes behind it
    std::vector<const Table*> insert_targets_;
    std::set<std::string> column_names_;                     ///< last parts of all column references
    std::set<const pg_query::ColumnRef*> target_stars_;      ///< counted with their query level
    std::set<const pg_query::ColumnRef*> whole_rows_allowed_;
    bool parameters_stay_ = false;  ///< what is pulled with other tables by one snapshot takes no parameters
    TextEdits* edits_ = nullptr;  ///< of the text that is being rewritten: the statement's or a view's; null if it has none
};

/// Throws PgError 0A000 if the tree names what the workbench cannot have: functions that read tables, reg* types …
void check_workbench_has(const google::protobuf::Message& tree, const PlanContext& context);

/// True if a function of that name tells about the server it runs on, or about tables by name.
bool depends_on_server(std::string_view function);

}  // namespace pgmosaic::planner

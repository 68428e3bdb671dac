#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "planner/internal/context.h"
#include "planner/internal/tree.h"
#include "planner/plan.h"

namespace pgmosaic::planner {

/// A column of a range entry: indexes into QueryAnalysis::entries and RangeEntry::columns.
struct ColumnNode {
    int entry = -1;
    int column = -1;
    friend bool operator==(const ColumnNode&, const ColumnNode&) = default;
    friend auto operator<=>(const ColumnNode&, const ColumnNode&) = default;
};

/// What stands behind one name of FROM (or is the target of a write), in any query level.
struct RangeEntry {
    enum class Kind {
        kTable,         ///< `table` is set; a foreign table, materialized view or partition counts as its placement says
        kUnknownTable,  ///< not in the catalog snapshot: a system catalog, a mosaic view, or an error that a server will report
        kQuery,         ///< sub-query, CTE or a view looked through (`table` is the view then): `query` is its level
        kFunction,      ///< function in FROM, XMLTABLE, JSON …; `table`: the shape of its result, where that is known
        kCall,          ///< a call of a distributed function, wherever it stands: `table` has its key and nothing else, no name
    };
    Kind kind = Kind::kUnknownTable;
    std::string alias{};                            ///< the name that its columns are qualified with
    const Table* table = nullptr;
    const pg_query::RangeVar* range_var = nullptr;  ///< as written; null for sub-queries in FROM and functions
    std::vector<std::string> columns{};             ///< names, after a column alias list
    bool columns_known = false;
    int level = 0;          ///< the query level in whose FROM it stands
    int query = -1;         ///< kQuery: index into QueryAnalysis::levels
    bool nullable = false;  ///< on the side of an outer join that may be filled with NULLs
    bool target = false;    ///< of INSERT, UPDATE, DELETE, MERGE
    bool lateral = false;
    bool cte = false;       ///< named in WITH; others may share `query`
    bool on_all = false;    ///< kCall: it runs on every shard
};

/// An equality that holds for the rows that matter, written as a top-level conjunct of WHERE or of ON.
struct Fact {
    ColumnNode left{};
    std::optional<ColumnNode> right{};  ///< column = column (of this level or an outer one), same type family
    KeyAlternatives values{};           ///< column = one of these, if `right` is empty
    int level = 0;
    /// Entries of the level for whose rows the fact may be assumed when only rows that can reach the result are looked for.
    /// WHERE: all of FROM. ON of an inner join: everything below the join. ON of an outer join: the nullable side only.
    std::vector<int> valid_for{};
    const pg_query::JoinExpr* join = nullptr;      ///< null: WHERE
    const pg_query::Node* condition = nullptr;     ///< null: made by USING or NATURAL
};

/// A conjunct of WHERE or ON, whatever it says.
struct Conjunct {
    const pg_query::Node* condition = nullptr;
    std::vector<int> valid_for{};               ///< as in Fact
    const pg_query::JoinExpr* join = nullptr;   ///< null: WHERE
    std::vector<int> uses{};                    ///< entries of this level whose columns it names, sorted
    bool uses_outer = false;                    ///< names columns of an outer level
    bool uses_unknown = false;                  ///< names something that could not be resolved, or `alias.*`
    bool has_sublink = false;
    bool has_volatile = false;
};

/// One SELECT without its sub-queries, or one writing statement. A set operation is a level of its own with `operands`.
struct Level {
    enum class Role { kStatement, kFromQuery, kCte, kView, kSubLink, kOperand };
    Role role = Role::kStatement;
    int parent = -1;                                 ///< the level whose text contains it; -1 for a view's
    bool lateral = false;                            ///< FROM sub-query that may name its neighbours
    int source = -1;                                 ///< INSERT: the level of its SELECT or VALUES
    std::optional<ColumnNode> in_test{};             ///< `WHERE column IN (this sub-query)`, as a conjunct
    bool correlated = false;                         ///< names columns of an outer level
    const pg_query::SelectStmt* select = nullptr;    ///< null for INSERT, UPDATE, DELETE, MERGE
    const pg_query::Node* write = nullptr;           ///< those
    std::vector<int> entries{};                      ///< of FROM, in order; the target of a write comes first
    std::vector<int> operands{};                     ///< set operation: the levels of its two sides
    std::vector<Conjunct> conjuncts{};
    std::vector<int> sublinks{};                     ///< levels of sub-queries in expressions
    std::vector<int> ctes{};                         ///< levels of its WITH clause
    std::vector<std::string> output_names{};         ///< SELECT's columns, stars expanded
    std::vector<const pg_query::Node*> output{};     ///< their expressions; null where a star put a column
    std::vector<std::optional<ColumnNode>> output_columns{};  ///< where an output is a plain column (of this level or outer)
    bool output_known = true;                        ///< false: a star over something without known columns
    bool recursive = false;                          ///< a recursive CTE
    int references = 0;                              ///< entries that name it (a CTE may have several)
    int entry = -1;                                  ///< the (last) entry that stands for it in FROM
    bool from_view = false;                          ///< within a view's definition: constants are not of the text
    bool has_group_by = false, has_grouping_sets = false, has_aggregates = false, has_windows = false;
    bool has_distinct = false, has_limit = false, has_locking = false, has_order_by = false;
    bool has_set_returning = false;                  ///< in the target list
    bool has_outer_join = false, has_full_join = false;
    bool is_values = false;
    std::vector<ColumnNode> group_columns{};         ///< GROUP BY items that are plain columns
    std::vector<ColumnNode> distinct_columns{};      ///< DISTINCT ON items (or all plain outputs of a DISTINCT)
};

/// A column that USING or NATURAL merges; `node` is empty for a full join.
struct MergedColumn {
    int level = 0;
    std::string name{};
    std::optional<ColumnNode> node{};
};

/// What one statement says, taken apart for proofs.
///
/// Lifetime  borrows the tree, the catalog and the context; owns the trees of the views that it looked through
struct QueryAnalysis {
    std::vector<Level> levels{};        ///< 0 is the statement
    std::vector<RangeEntry> entries{};  ///< of all levels
    std::vector<Fact> facts{};          ///< of all levels
    std::vector<MergedColumn> merged{};
    std::vector<std::unique_ptr<ParsedTree>> view_trees{};
    std::vector<std::unique_ptr<Table>> call_tables{};  ///< of entries that no table stands behind

    bool touches_sharded = false, touches_reference = false, touches_local = false;
    bool touches_unknown = false;        ///< a relation that is not in the snapshot: catalogs, or an error to come
    bool touches_temporary = false;
    bool has_volatile = false;           ///< a volatile function, built-in or the user's, anywhere
    bool has_loose_volatile = false;     ///< one of these that is not bound to a shard by being distributed
    bool has_volatile_expression = false;  ///< one of these that is not a function in FROM
    bool has_now = false;                ///< CURRENT_TIMESTAMP and its kind
    bool has_user_volatile = false;      ///< a user's function that is not IMMUTABLE and may read or write tables
    bool has_unknown_function = false;   ///< one of these that may reach sharded tables
    bool has_user_function = false;      ///< a user's function of any kind: it may leave state in the server session
    bool has_sequence_function = false;  ///< nextval, setval, currval, lastval
    bool has_sequence_read = false;      ///< of these, currval and lastval
    bool has_sequence_move = false;      ///< of these, nextval and setval
    bool has_session_function = false;   ///< set_config, advisory locks …: leaves state in the server session
    bool has_session_setting = false;    ///< of these, what leaves more than locks
    bool has_session_lock = false;       ///< an advisory lock that outlives the transaction
    bool has_notify = false;             ///< pg_notify()
    bool has_session_unlock = false;     ///< pg_advisory_unlock() and its kind
    bool has_locking = false;            ///< FOR UPDATE, FOR SHARE …
    bool has_modifying_cte = false;
    std::string user_volatile_name{};    ///< for the error message
    std::string call_name{};             ///< a distributed function that is called; empty: none
    std::vector<std::string> admin_views{};
    std::vector<std::string> spread_views{};  ///< of pg_catalog: what must be summed over the shards, see spread_sizes.h
    bool tells_sizes = false;                 ///< by a function or a view of statistics
    std::string reads_by_text{};         ///< query_to_xml and its kind: reads tables that no plan can see
    PlanContext* context = nullptr;

    /// True if the entry's rows are split by a key: a sharded table, or a call of a distributed function.
    bool is_split(const RangeEntry& entry) const {
        return entry.kind == RangeEntry::Kind::kCall || (entry.kind == RangeEntry::Kind::kTable && entry.table->placement == Placement::kSharded);
    }
    /// Entries that are split so, in all levels.
    std::vector<int> sharded() const;
    /// The base column behind a node, through sub-queries and views; null if it is an expression or not known.
    const Column* base_column(ColumnNode node) const;
    /// The constant that a sub-query's column is; null if it is something else.
    const pg_query::Node* constant_column(ColumnNode node) const;
    /// All columns (any level) that are proved equal to `node` for the rows of node.entry that matter, `node` included.
    std::vector<ColumnNode> equal_columns(ColumnNode node) const;
    /// The values one of which `node` must have in every row that matters; nullopt if nothing is proved.
    std::optional<KeyAlternatives> values(ColumnNode node) const;
    /// The same for the shard key of a sharded table; only values that the key's type reads in canonical form.
    std::optional<KeyAlternatives> key_values(int entry) const;
    /// The column that an expression names; nullopt if it is anything but a plain column that is known.
    std::optional<ColumnNode> resolve(const pg_query::Node& expression, int level) const;
    /// True if every sharded table is tied to every other one by an equality of the shard keys (directly or through others)
    /// and all are of one group: their join can be made on each shard alone. True for a single table.
    /// Says nothing about aggregates, LIMIT and the like in sub-queries.
    bool colocated() const;
    /// True if every sharded table's key is tied to that of `leader`, so that each row of the leader finds all rows of the others
    /// that matter on its own shard. Sub-queries whose LIMIT or aggregates would count rows of other keys break the tie.
    /// The entry `except` (an INSERT's target) does not count.
    bool tied_to(int leader, int except = -1) const;

   private:
    struct State { int base = -1; ColumnNode node{}; };
    /// Looks left for proofs through set operations: a text that needs more is not proved, instead of being planned for ever.
    mutable int looks_ = 2000;
    std::vector<State> reach(ColumnNode node) const;
    void step(const State& from, std::vector<State>& to) const;
    void step_out(const State& from, std::vector<State>& to) const;
    /// `within`: set operations that are being looked into, so that their operands do not lead back to them.
    std::optional<KeyAlternatives> values(ColumnNode node, std::vector<int>& within) const;
    std::optional<KeyAlternatives> output_values(int level, int column, std::vector<int>& within) const;
};

/// Takes a SELECT, INSERT, UPDATE, DELETE or MERGE apart.
std::unique_ptr<QueryAnalysis> analyze(const pg_query::Node& statement, PlanContext& context);

}  // namespace pgmosaic::planner

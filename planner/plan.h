#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "planner/catalog.h"

namespace pgmosaic::planner {

// ---------------------------------------------------------------- values known only when a statement runs

/// One literal of a statement's text, as the lexer cut it out.
struct Literal {
    enum class Kind : std::uint8_t { kInteger, kDecimal, kString, kNull, kOther };
    Kind kind = Kind::kOther;
    bool negative = false;    ///< a unary minus belongs to it
    std::string value{};      ///< digits, or the string's value with quotes and escapes undone
};

/// Where a key's value comes from: a literal of the text (index into the lexer's list), a parameter ($n), or neither:
/// a value fixed in the plan (it then belongs to the plan's key).
struct ValueRef {
    enum class From : std::uint8_t { kLiteral, kParameter, kConstant };
    From from = From::kConstant;
    std::uint32_t index = 0;  ///< literal number from 0, parameter number from 1
    Literal constant{};
};

/// A shard key must be one of these values (`k = v`, `k IN (…)`).
using KeyAlternatives = std::vector<ValueRef>;

/// A LIMIT or OFFSET; absent, NULL and ALL are nullopt.
using CountRef = std::optional<ValueRef>;

// ---------------------------------------------------------------- how rows of several shards become one result

/// A column that the coordinator compares: one of the shards' hidden columns, in binary format.
struct SortKey {
    std::uint16_t column = 0;  ///< of the shards' rows, counted from their first column
    Oid type = 0;              ///< one that merge_types.h knows
    bool descending = false;
    bool nulls_first = false;
    /// Text types: a libc locale ("en_US.utf8") whose order is the server's; empty: byte by byte (C, POSIX).
    std::string locale{};
};

/// How a column of the answer is made in `MergeSpec::Mode::kAggregate`. All numbers count the columns of the shards'
/// rows from their first one. `visible` inputs are passed on as the shard printed them; `hidden` ones are binary.
enum class Combine : std::uint8_t {
    kGroupKey,  ///< `input`: the visible column; it passes
    kCount,     ///< `input`: hidden int8; the sum of counts
    kSum,       ///< `input`: hidden partial sum; int8, numeric, float4 or float8, which is the answer's type too
    kMin,       ///< `input`: hidden, compared; `input2`: visible, the same value, it passes
    kMax,       ///< as kMin
    kAvg,       ///< `input`: hidden partial sum (int8, numeric; float8 for floats), `input2`: hidden int8 count
    kBoolAnd,   ///< `input`: hidden bool
    kBoolOr,
    kBitAnd,    ///< `input`: hidden int2, int4 or int8
    kBitOr,
};

struct OutputColumn {
    Combine combine = Combine::kGroupKey;
    std::uint16_t input = 0;
    std::uint16_t input2 = 0;
    Oid input_type = 0;      ///< type of the shards' column `input`
    Oid output_type = 0;     ///< type that the client sees
    std::string locale{};    ///< kMin, kMax of text: as in SortKey
};

/// What the shards' rows look like and what is done with them.
///
/// Shape  a shard's row is [0, visible) as the client sees them, in the formats it asked for, then `hidden` columns in
///        binary format, which no client sees. kAggregate: the visible columns are the client's target list as written
///        (so the shards' RowDescription is the answer's), even where only the hidden partials are used:
///        `SELECT g, avg(x) … GROUP BY g` is sent as `SELECT g, avg(x), g, sum(x), count(x) … GROUP BY g`, which
///        costs the shard no second aggregation.
struct MergeSpec {
    enum class Mode : std::uint8_t {
        kConcatenate,  ///< rows as they come; LIMIT and OFFSET count
        kSorted,       ///< each shard's rows are sorted by `order_by`; merged, then OFFSET and LIMIT
        /// The first row of each group by `group_by` stays, in the order of `order_by` if the shards sorted by it, else
        /// as rows come: DISTINCT, and DISTINCT ON whose expressions `group_by` holds.
        kDistinct,
        kAggregate,    ///< partial aggregates by `group_by` are combined into `outputs`; no `group_by`: one row
    };
    Mode mode = Mode::kConcatenate;
    std::uint16_t visible = 0;
    std::uint16_t hidden = 0;
    std::vector<SortKey> order_by{};       ///< kSorted, kDistinct
    std::vector<SortKey> group_by{};       ///< hidden columns whose equality makes a group
    std::vector<OutputColumn> outputs{};   ///< kAggregate: the answer's columns, `visible` of them
    /// kAggregate: ORDER BY over the answer. `column` < outputs.size(): that column of the answer, not a kGroupKey;
    /// else the hidden column `column - outputs.size()` of the shards' rows, which `group_by` must name.
    std::vector<SortKey> order_output{};
    CountRef limit{};
    CountRef offset{};
};

// ---------------------------------------------------------------- plans

enum class PlanKind : std::uint8_t {
    kLocal,           ///< answered by the session (BEGIN, SET, SHOW of ours …): see Command
    kRoute,           ///< the text as written goes to one shard
    kScatter,         ///< one statement per shard, merged
    kWorkbench,       ///< rows are pulled, a plain PostgreSQL finishes
    kInsert,          ///< rows of VALUES go each to its shard, defaults that need one place are filled in
    kReferenceWrite,  ///< a write of a reference table: leader first, then the other copies
    kBroadcast,       ///< all shards, atomically where PostgreSQL allows
    kCopyIn,
    kCopyOut,
    kAdmin,           ///< one of our functions or views
    kRefuse,
};

/// What the statement is, for the session's own state and for command tags.
enum class Command : std::uint8_t {
    kEmpty, kSelect, kInsert, kUpdate, kDelete, kMerge, kCopy, kExplain, kTransaction, kSet, kReset, kShow, kDiscard,
    kPrepare, kExecute, kDeallocate, kDeclare, kFetch, kClose, kListen, kUnlisten, kNotify, kLock, kDo, kCall, kDdl,
    kCreateDatabase, kDropDatabase, kMaintenance, kAdminCall, kCheckpoint, kExportSnapshot, kListening, kOther,
};

enum class TransactionVerb : std::uint8_t {
    kNone, kBegin, kCommit, kRollback, kSavepoint, kRelease, kRollbackTo, kPrepareTransaction, kCommitPrepared, kRollbackPrepared,
};

struct Statement;

/// kRoute. Goes to one shard if every entry of `keys` resolves to one and the same; else `otherwise` is what to do.
struct Route {
    enum class Where : std::uint8_t {
        kHome,  ///< local tables, catalogs, no table at all
        kAny,   ///< only reference tables: a shard that the transaction already uses, else home
        kKey,
    };
    Where where = Where::kHome;
    GroupId group{};
    Oid key_type = 0;
    std::vector<KeyAlternatives> keys{};
    bool needs_home = false;  ///< local tables take part: right only if the key's shard is the home shard
    /// Also of a kScatter INSERT … SELECT: what to do where the shards cannot be made to read at one moment.
    std::shared_ptr<const Statement> otherwise{};
};

/// kScatter; also UPDATE and DELETE of several shards.
struct Scatter {
    GroupId group{};
    Oid key_type = 0;
    std::vector<KeyAlternatives> prune{};  ///< only shards that own one of each; empty: all
    std::string shard_sql{};               ///< empty: as written
    MergeSpec merge{};
};

/// One table or sub-query whose rows go to the workbench.
struct Pull {
    std::string name;                ///< of the temporary table there
    std::string definition;          ///< its columns, as CREATE TABLE wants them: `a integer, b text COLLATE "C"`
    std::string shard_sql;           ///< the SELECT that runs on each shard
    enum class From : std::uint8_t { kAllShards, kHome } from = From::kAllShards;
};

/// kWorkbench: `pulls` fill temporary tables, `final_sql` (same parameters as the original) is the answer.
struct Workbench {
    std::vector<Pull> pulls{};
    std::string final_sql{};
};

/// kInsert: INSERT … VALUES into a sharded table that cannot go as written to one shard.
struct InsertRows {
    Oid table = 0;
    GroupId group{};
    Oid key_type = 0;
    std::size_t rows = 0;
    /// Expressions that must be evaluated once, in one place (nextval, volatile defaults), before routing: the coordinator
    /// runs `fill_sql` on the home shard and gives its single row of `fills` text values to render_insert().
    std::string fill_sql{};
    std::size_t fills = 0;
    /// For each fill the column whose default it is; none, if it moves no sequence; or an expression that may move any.
    static constexpr int kMovesNone = -1, kMovesAny = -2;
    std::vector<std::int16_t> fill_columns{};
    std::size_t last_fill = 0;  ///< of those of columns, the one that PostgreSQL would evaluate last
    /// For each row the key, or the fill (index) that makes it.
    struct Key { bool from_fill = false; std::size_t fill = 0; ValueRef value{}; };
    std::vector<Key> keys{};
    std::shared_ptr<const void> tree{};  ///< the planner's own
};

/// kReferenceWrite. `lock_sql` runs on every shard before, home first; then
/// INSERT: `leader_sql` (the statement with RETURNING *) on home, its rows are applied to the other shards by
///         `copy_sql` with session_replication_role = replica; UPDATE, DELETE …: as written on every shard, the answer is home's.
struct ReferenceWrite {
    std::string lock_sql{};
    bool rows_from_leader = false;
    std::string leader_sql{};            ///< returns the table's columns in text, first; then what the client's RETURNING asked for
    std::string copy_sql{};              ///< INSERT INTO t (…) VALUES prefix; rows are appended as quoted literals
    std::vector<std::string> columns{};  ///< of the table, in leader_sql's order
    bool upsert = false;                 ///< ON CONFLICT: refused by the planner unless DO NOTHING
};

/// kCopyIn and kCopyOut. Options are as in PostgreSQL, already checked by the parser only.
struct Copy {
    Oid table = 0;                       ///< 0: COPY (query) TO
    Placement placement = Placement::kLocal;
    std::vector<int> columns{};          ///< indexes of the table's columns, in file order
    int key_field = -1;                  ///< position of the shard key within `columns`; -1: not in the file
    enum class Format : std::uint8_t { kText, kCsv, kBinary } format = Format::kText;
    char delimiter = '\t';
    std::string null_text = "\\N";
    char quote = '"';
    char escape = '"';
    bool header = false;
    bool force_quote_all = false;        ///< FORCE_QUOTE *
    std::vector<std::string> force_quote{};
    bool force_other_options = false;    ///< ENCODING, FORCE_NULL …: passed through, no effect on splitting unless set
    std::string shard_sql{};             ///< COPY … FROM/TO STDIN as sent to the shards (FREEZE removed)
    std::string query{};                 ///< COPY (query): its text; planned as a statement of its own
};

/// kAdmin: `SELECT create_distributed_table('t', 'c')` and its kind, with constant or parameter arguments.
struct AdminCall {
    std::string function;                ///< without schema
    struct Argument { std::string name{}; bool null = false; ValueRef value{}; };
    std::vector<Argument> arguments{};
    std::string column_name{};           ///< of the single result column
};

/// One statement of a query string with what to do about it.
struct Statement {
    Command command = Command::kOther;
    PlanKind plan = PlanKind::kRoute;
    std::string reason{};            ///< why this plan; EXPLAIN prints it
    /// Its text within the query string is `substr(offset, length)`. The only statement of a text has 0 and npos: the plan
    /// serves every text that differs in its free literals, whatever their length.
    std::size_t offset = 0;
    std::size_t length = std::string::npos;
    bool writes = true;              ///< false: proved read-only, free of volatile functions and of locks
    bool returns_rows = false;
    bool runs_user_code = false;     ///< may leave state in the server session, which another client must not find
    bool moves_sequences = false;    ///< nextval() and setval() by name, or defaults of the home shard's own tables
    bool reads_sequences = false;    ///< currval(), lastval(): what this session did before
    /// Refused as it stands, but not once the calls of currval() and lastval() are replaced by their values: see sequences.h.
    bool lifts_reads = false;
    std::vector<std::string> moved_sequences{};  ///< all that it can move, as regclass reads them; none: they are not known
    bool needs_no_transaction = false;  ///< VACUUM, CREATE INDEX CONCURRENTLY, CREATE DATABASE …
    bool changes_catalog = false;    ///< the catalog snapshot must be read anew afterwards
    bool notifies = false;           ///< NOTIFY, or a call of pg_notify()
    bool unlocks = false;            ///< gives session advisory locks back
    bool pins = false;               ///< leaves state that cannot move (temporary table, LISTEN, session advisory lock, WITH HOLD)
    std::uint32_t parameters = 0;    ///< highest $n
    std::string tag{};               ///< command tag where we make it ourselves ("CREATE TABLE")

    TransactionVerb verb = TransactionVerb::kNone;
    std::string name{};              ///< savepoint, cursor, prepared statement, setting, database …; EXPLAIN: its FORMAT
    /// Transaction modes as SQL; SET's value as SQL (empty: DEFAULT); the inner text of PREPARE, DECLARE, EXPLAIN; FETCH or MOVE.
    std::string argument{};
    /// EXECUTE name(…): each as SQL; SELECT set_config(…) (kSet with rows): the column's name; EXPLAIN: what stands before the statement.
    std::vector<std::string> arguments{};
    std::vector<std::string> type_names{};  ///< PREPARE name(type, …): each as SQL
    std::vector<std::string> admin_views{};  ///< relations of schema `mosaic` that it reads: see replace_admin_views()
    bool local = false;              ///< SET LOCAL
    bool chain = false;              ///< COMMIT AND CHAIN
    bool force = false;              ///< DROP DATABASE … WITH (FORCE); DECLARE … WITH HOLD; EXPLAIN ANALYZE

    Route route{};
    std::optional<Scatter> scatter{};
    std::optional<Workbench> workbench{};
    std::optional<InsertRows> insert{};
    std::optional<ReferenceWrite> reference{};
    std::optional<Copy> copy{};
    std::optional<AdminCall> admin{};
    /// kBroadcast and others: text to send instead of the original (for example WITH (mosaic.key = …) removed).
    std::string rewritten{};
    /// CREATE TABLE … WITH (mosaic.key = …): the call that follows it.
    std::optional<AdminCall> then{};
    std::optional<Error> refusal{};  ///< kRefuse
};

/// A query string, taken apart and planned. Immutable, shared by sessions.
struct PlannedText {
    std::vector<Statement> statements{};
    std::optional<Error> syntax_error{};  ///< PostgreSQL's message, SQLSTATE and position; no statement runs
    std::uint64_t catalog_version = 0;
};

}  // namespace pgmosaic::planner

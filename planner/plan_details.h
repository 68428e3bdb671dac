#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/plan.h"

/// What some plans say beyond plan.h, which every file includes. A statement carries it in `insert->tree`, with no rows of VALUES.
namespace pgmosaic::planner {

/// kInsert without VALUES: the rows of `source_sql`, a statement with a plan of its own, go in batches into a table, wherever each row
/// belongs. The parameters of the statement are those of the source and of `tail`.
struct InsertSelect {
    /// A column that the shards are given a value of.
    struct Target {
        std::string name{};
        std::string type_name{};  ///< as CREATE TABLE says it; empty: of a table that is made by this very statement
        Oid type = 0;
        std::string fill{};       ///< an expression that the home shard evaluates for each row; empty: the source's next column
    };
    Oid table = 0;                     ///< 0: it is made by this very statement
    Placement placement = Placement::kLocal;
    GroupId group{};
    Oid key_type = 0;
    std::int32_t key_typmod = -1;
    std::size_t key = 0;               ///< kSharded: which of `targets` is the shard key
    bool null_key_is_told = false;     ///< a shard that gets a NULL key says in PostgreSQL's words why not
    std::string source_sql{};
    std::string head{};                ///< INSERT INTO t AS x
    std::string overriding{};
    std::string tail{};                ///< ON CONFLICT … RETURNING …
    std::vector<Target> targets{};     ///< sources first, in their order, then fills
    bool at_once = false;              ///< a row must not be met twice (DO UPDATE): no batches
    std::string copy_head{};           ///< kReference: INSERT INTO t for the copies, from what the leader has stored
    std::vector<std::string> copied{}; ///< kReference: the columns that are passed on to the copies
    std::string lock_sql{};            ///< kReference: taken on every copy first
    std::string verb = "INSERT 0";     ///< of the command tag
    bool moves = false;                ///< an UPDATE of the key: its source deletes the rows that come back
};

/// A table that a statement writes while its rows are on the workbench, where it is two temporary tables: `name` has the table's columns
/// and gets the rows that the statement inserts; `rows`, which inherits from it, has those that were pulled. What says which rows they are
/// stands in columns of `rows` that no name in the statement reaches and that `*` does not give.
struct WrittenTable {
    struct Column {
        std::string name{};
        std::string type_name{};
        Oid type = 0;
        bool assigned = false;     ///< by an UPDATE
        bool may_default = false;  ///< a row may get its default
        std::string fill{};        ///< that default, if the home shard evaluates it for each row
    };
    struct Identity {
        std::string name{};
        std::string type_name{};
        std::string column{};  ///< kReference: the column of the key whose old value it is
    };
    Oid table = 0;
    Placement placement = Placement::kLocal;
    GroupId group{};
    Oid key_type = 0;
    std::int32_t key_typmod = -1;
    int key = -1;                       ///< kSharded: index into `columns`
    bool null_key_is_told = false;
    bool ordinary_triggers = false;     ///< a shard's triggers may leave rows out
    std::string qualified{};            ///< its name on the shards
    std::string name{};
    std::string rows{};
    std::string definition{};
    std::vector<Column> columns{};      ///< all that can be given a value
    /// kReference: its key; else the shard's number, the table's OID there (a partition's) and the row's place.
    std::vector<Identity> identity{};
    std::string pull_sql{};             ///< on each shard, with the shard's number for the first `$shard$`; locks. Empty: only inserts
    std::string pulled_columns{};       ///< list for COPY
    std::vector<KeyAlternatives> prune{};
    std::string lock_sql{};             ///< kReference: on every copy before
    bool inserts = false, updates = false, deletes = false;
    bool moves = false;                 ///< the shard key is assigned
    /// INSERT … ON CONFLICT: all rows are in `name` with the table's unique keys, and stand in `rows`, which does not inherit then, as
    /// they were. `key_names` tell which is which: no assignment reaches them.
    bool conflicts = false;
    std::vector<std::string> key_names{};
    bool main = false;                  ///< the statement itself writes it, not one of its WITH

    std::string pull_on(ShardId shard) const;
};

/// kInsert, kBroadcast, kWorkbench.
struct PlanDetails {
    std::vector<WrittenTable> written{};  ///< kWorkbench: its statement changes rows of these
    bool selects = false;  ///< `rows` says whose rows go where
    InsertSelect rows{};
    /// kBroadcast: what the other shards run instead of the home shard's text; or a query that gives them their statements,
    /// one in each row, once the home shard has run its own.
    std::string elsewhere{};
    std::string elsewhere_query{};
    /// kBroadcast: nothing that lies on several shards is named. The home shard has carried it out; another shard may lack what it
    /// names (a function or a block of code may have made it, on the home shard only).
    bool elsewhere_optional = false;
    /// kBroadcast: ALTER ROLE or DATABASE, by which new sessions may begin with other settings than old ones have.
    bool changes_defaults = false;
    /// kBroadcast: CREATE or ALTER ROLE … PASSWORD with a plain password, and where its constant stands in the statement's text. The
    /// servers would each hash it with a salt of their own; a login by one proof on all of them wants the same everywhere.
    std::string password{};
    std::size_t password_begin = 0;
    std::size_t password_end = 0;
};

/// Empty details for a statement that has none.
const PlanDetails& details_of(const Statement& statement);
void set_details(Statement& statement, PlanDetails details);

/// EXPLAIN of what goes to the shard of its key: our lines stand above that shard's plan.
bool explains_route(const Statement& statement);

/// True if tables lie on several shards. Where none does, the home shard is all there is.
bool has_spread_tables(const Catalog& catalog);

}  // namespace pgmosaic::planner

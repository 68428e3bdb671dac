#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "base/ids.h"

namespace pgmosaic::planner {

/// Where the rows of a table live.
enum class Placement : std::uint8_t {
    kLocal,      ///< on the home shard (the default until somebody distributes it); empty twins elsewhere
    kReference,  ///< whole on every shard
    kSharded,    ///< by the bucket of its key
};

struct Column {
    std::string name;
    Oid type = 0;
    std::int32_t typmod = -1;
    Oid collation = 0;
    std::string type_name;      ///< format_type(): what a CREATE TABLE would say
    bool not_null = false;
    bool generated = false;     ///< GENERATED ALWAYS AS (…) STORED
    char identity = 0;          ///< 'a', 'd' or 0
    std::string default_expr;   ///< pg_get_expr of the default; identity columns: nextval('…'::regclass)
    bool default_is_volatile = false;  ///< not immutable: nextval, now(), gen_random_uuid() …
    bool default_needs_home = false;   ///< nextval or a user's function: evaluated once, on the home shard
    std::string default_sequence{};    ///< its next value is the default, and nothing else is; as regclass reads it
    bool nondeterministic = false;     ///< its collation calls different bytes equal: never a key
    std::string collation_name{};      ///< with schema, quoted; empty: none, or the database's default
};

struct Table {
    Oid oid = 0;
    std::string schema;
    std::string name;
    char kind = 'r';            ///< pg_class.relkind
    bool temporary = false;
    Placement placement = Placement::kLocal;
    GroupId group{};
    int key = -1;               ///< index into `columns` of the shard key; -1 unless sharded
    std::vector<Column> columns;
    std::vector<std::vector<int>> unique_keys;  ///< primary key first; indexes into `columns`
    bool has_row_triggers = false;
    bool has_row_security = false;
    bool partitioned_or_inherited = false;
    bool hidden = false;        ///< pg_catalog has a relation of that name: found with its schema only
    std::string view_definition;  ///< kinds 'v' and 'm': pg_get_viewdef, names qualified
};

/// True if a default or an identity column takes its values from a sequence, or from a user's function.
bool has_home_defaults(const Table& table);

/// What a function may touch when it runs.
enum class Reach : std::uint8_t {
    kNone,     ///< its arguments only
    kHome,     ///< tables, sequences and catalogs of the home shard
    kUnknown,  ///< sharded tables, or what cannot be read (dynamic SQL, a language that is not known)
};

/// Where calls of a function run: what create_distributed_function() was told.
struct FunctionSpread {
    enum class Way : std::uint8_t {
        kKey,  ///< on the shard that owns the value of `argument`
        kAll,  ///< once on every shard; the results together are the answer
        kAny,  ///< on one shard, whichever: it reads what is the same everywhere
    };
    Way way = Way::kAny;
    int argument = -1;             ///< kKey: among the input arguments, from 0
    std::string argument_name{};   ///< empty: it has none
    GroupId group{};               ///< kKey, kAll
    Oid key_type = 0;              ///< kKey
    std::vector<Column> columns{}; ///< of its result in FROM; empty: not known
};

/// A function, procedure or aggregate outside pg_catalog.
struct Function {
    std::string schema;
    std::string name;
    char kind = 'f';        ///< pg_proc.prokind
    char volatility = 'v';  ///< pg_proc.provolatile
    Reach reach = Reach::kUnknown;
    std::string language;
    std::string source;     ///< of SQL and PL/pgSQL functions
    int inputs = 0;         ///< input arguments, with those that have a default
    std::optional<FunctionSpread> spread{};
};

/// What the planner knows of one database at one moment; immutable once built.
class Catalog {
   public:
    /// Reads the document that `kCatalogQuery` returns. Errors: XX000 if it is not of that shape.
    static Result<std::shared_ptr<const Catalog>> from_json(std::string_view document, std::uint64_t version);

    std::uint64_t version() const { return version_; }
    /// By name as written: with a schema, or the first match along the search path (pg_catalog is implied first,
    /// pg_temp before it if `temp_schema` is not empty).
    const Table* find_table(std::string_view schema, std::string_view name, const std::vector<std::string>& search_path) const;
    const Table* find_table(Oid oid) const;
    /// All functions of that name outside pg_catalog, in any schema.
    std::vector<const Function*> find_functions(std::string_view name) const;
    /// True if operators are defined outside pg_catalog: proofs by operator name are then kept to the safe types.
    bool has_user_operators() const { return has_user_operators_; }
    const std::vector<Table>& tables() const { return tables_; }
    /// Tables, and how far functions may reach, whose names differ from `lower` in upper and lower case only.
    std::vector<const Table*> tables_called(const std::string& lower) const;
    Reach reach_of_functions_called(const std::string& lower) const;
    bool has_sharded_tables() const { return has_sharded_tables_; }
    /// True if text of the default collation is ordered by its bytes (C, POSIX, C.UTF-8 of libc).
    bool default_collation_is_c() const { return default_collation_is_c_; }

   private:
    void add(Table table);
    void inherit_placements(const std::vector<std::vector<Oid>>& parents);
    void judge_defaults();
    void judge_functions();
    bool visible_in(const Table& table, std::string_view schema) const;

    std::uint64_t version_ = 0;
    std::vector<Table> tables_;
    std::unordered_map<std::string, std::vector<std::size_t>> by_name_;
    std::unordered_map<std::string, std::vector<std::size_t>> by_lower_name_;
    std::unordered_map<std::string, std::vector<std::string>> function_names_;  ///< by lower case
    std::unordered_map<Oid, std::size_t> by_oid_;
    std::unordered_map<std::string, std::vector<Function>> functions_;
    bool has_user_operators_ = false;
    bool has_sharded_tables_ = false;
    bool default_collation_is_c_ = false;
};

/// One row, one text column: the JSON document for Catalog::from_json. Runs on the home shard, as any role, also inside a
/// transaction that has just changed the schema. Fails with 3F000 or 42883 where kRegistrySchema has not run: run that first.
/// Temporary tables are those of the connection that asks (schema `pg_temp`).
extern const char* const kCatalogQuery;

/// Creates schema pg_mosaic with the registry `pg_mosaic.tables` and `pg_mosaic.catalog()` in a database; repeatable. Sent as one
/// simple query (one implicit transaction: it uses SET LOCAL) by a superuser; any role may read it afterwards.
/// Columns: relid oid primary key, placement "char" ('s' or 'r'), key_column int2 (attnum, null for 'r'), group_id int4.
/// `pg_mosaic.functions`: funcid oid primary key, way "char" ('k' key, 'a' all, 'n' any), argument int2 (input argument from 1, for
/// 'k'), key_type oid (for 'k'), group_id int4 (for 'k' and 'a').
extern const char* const kRegistrySchema;

}  // namespace pgmosaic::planner

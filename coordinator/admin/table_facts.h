#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/ids.h"

namespace pgmosaic::coordinator {

/// Where the rows of a table are, as the registry says; a partition stands where its parent stands.
struct Placed {
    enum class As : std::uint8_t { kLocal, kReference, kSharded };
    As as = As::kLocal;
    GroupId group{};
    std::string key{};
};

struct ColumnFacts {
    std::string name{};
    Oid type = 0;
    std::string type_name{};
    bool generated = false;
    bool not_null = false;
    bool nondeterministic = false;  ///< its collation calls different bytes equal
};

struct UniqueFacts {
    std::string name{};
    std::string table{};
    bool expression = false;  ///< an index over expressions; `columns` are those that are plain
    bool constraint = false;
    bool primary = false;
    std::vector<std::string> columns{};
};

struct ExclusionFacts {
    std::string name{};
    std::vector<std::string> equal{};  ///< columns that it compares by built-in equality
};

/// A foreign key between the table (`columns`) and another one, in either direction.
struct ForeignKeyFacts {
    std::string name{};
    std::string table{};  ///< the other one
    bool own = false;     ///< the other one is the table itself, or a partition of it
    Placed placed{};      ///< the other one's
    bool has_rows = false;
    std::vector<std::string> columns{};        ///< of the referencing table
    std::vector<std::string> other_columns{};  ///< of the referenced table, in the same order
};

struct TriggerFacts {
    std::string name{};
    std::string table{};
    bool per_row = false;
    bool before = false;
    char enabled = 'O';
    bool built_in = false;  ///< its function comes with PostgreSQL
    std::string language{};
    std::string function{};
    std::string source{};
};

/// Code that hangs on a table: a policy or a check constraint.
struct CodeFacts {
    std::string name{};
    bool reads = false;                    ///< has a sub-query
    std::vector<std::string> functions{};  ///< users' functions in it that are not IMMUTABLE
};

/// What pg_mosaic.table_facts() says of a table and its partitions.
struct TableFacts {
    Oid oid = 0;
    std::string schema{};
    std::string name{};
    char kind = 'r';
    char persistence = 'p';
    bool partition = false;
    bool forced_row_security = false;
    bool owned = false;  ///< by the role that asked
    bool system = false;
    bool inherits = false;
    bool has_rows = false;  ///< may be true of a table whose rows were all deleted
    bool created_here = false;  ///< by the very transaction that asked: nobody else can know it
    Placed placed{};
    std::vector<ColumnFacts> columns{};
    std::vector<UniqueFacts> uniques{};
    std::vector<ExclusionFacts> exclusions{};
    std::vector<ForeignKeyFacts> references{};
    std::vector<ForeignKeyFacts> referenced_by{};
    std::vector<TriggerFacts> triggers{};
    std::vector<std::string> rules{};
    std::vector<CodeFacts> policies{};
    std::vector<CodeFacts> checks{};
    std::vector<std::string> functions{};  ///< names of all users' functions that are not IMMUTABLE, if there are triggers

    const ColumnFacts* find_column(std::string_view column) const;
    /// `"schema"."table"`, quoted where PostgreSQL would quote.
    std::string qualified() const;
};

/// Errors: XX000 if the document is not of that shape.
Result<TableFacts> table_facts_from_json(std::string_view document);

}  // namespace pgmosaic::coordinator

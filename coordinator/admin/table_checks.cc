#include "coordinator/admin/table_checks.h"

#include <algorithm>

#include "planner/planner.h"
#include "shardmap/key_types.h"

namespace pgmosaic::coordinator {

namespace {

bool among(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string list(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + planner::quote_identifier(name);
    return text;
}

std::string in_quotes(std::string_view name) { return "\"" + std::string(name) + "\""; }

std::string quoted_list(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + in_quotes(name);
    return text;
}

std::string sharded_by(const TableFacts& table, std::string_view column) {
    return "Table " + in_quotes(table.name) + " is sharded by " + in_quotes(column) + "; ";
}

std::string reference_call(std::string_view table) {
    return "SELECT create_reference_table(" + planner::quote_literal(table) + ")";
}

/// What holds for every change of a table's place.
std::optional<Error> why_not_ours(const TableFacts& table) {
    if (table.kind != 'r' && table.kind != 'p') {
        return Error{.code = sqlstate::kWrongObjectType,
                     .message = in_quotes(table.name) + " is not a table",
                     .detail = "Only ordinary and partitioned tables can be distributed."};
    }
    if (table.system) {
        return Error{.code = sqlstate::kInsufficientPrivilege,
                     .message = "permission denied: " + in_quotes(table.name) + " is a system catalog"};
    }
    if (!table.owned) {
        return Error{.code = sqlstate::kInsufficientPrivilege, .message = "must be owner of table " + table.name};
    }
    if (table.persistence == 't') {
        return refusal("temporary table " + in_quotes(table.name) + " cannot be distributed", "It belongs to one session.");
    }
    if (table.partition) {
        return refusal("cannot distribute partition " + in_quotes(table.name), "A partition is placed as its parent is.",
                       "Distribute the partitioned table.");
    }
    if (table.inherits) {
        return refusal("cannot distribute table " + in_quotes(table.name) + " because it takes part in inheritance",
                       "A query of the parent would have to read children that lie elsewhere.",
                       "Use a partitioned table, or tables without inheritance.");
    }
    if (table.forced_row_security && table.has_rows) {
        return refusal("cannot move the rows of " + in_quotes(table.name) + " because row security is forced on its owner",
                       "Rows that a policy hides from the owner would stay behind.",
                       "Use ALTER TABLE … NO FORCE ROW LEVEL SECURITY, distribute the table, and force it again.");
    }
    return std::nullopt;
}

std::optional<Error> why_not_key(const TableFacts& table, std::string_view column) {
    const ColumnFacts* key = table.find_column(column);
    if (key == nullptr) {
        return Error{.code = sqlstate::kUndefinedColumn,
                     .message = "column " + in_quotes(column) + " of relation " + in_quotes(table.name) + " does not exist"};
    }
    if (key->generated) {
        return refusal("generated column " + in_quotes(column) + " cannot be the shard key",
                       "Its value is computed on the shard that a row has already reached.");
    }
    if (const std::string reason = shardmap::why_not_a_key(key->type); !reason.empty()) {
        return refusal("column " + in_quotes(column) + " of type " + key->type_name + " cannot be the shard key", reason);
    }
    if (key->nondeterministic) {
        return refusal("column " + in_quotes(column) + " with a nondeterministic collation cannot be the shard key",
                       "Values that are equal by the collation would lie on different shards.",
                       "Use a column with a deterministic collation.");
    }
    return std::nullopt;
}

std::optional<Error> why_not_unique(const TableFacts& table, std::string_view column) {
    for (const UniqueFacts& unique : table.uniques) {
        if (among(unique.columns, column)) continue;
        const std::string what = unique.primary ? "primary key" : unique.constraint ? "unique constraint" : "unique index";
        std::vector<std::string> wanted = unique.columns;
        wanted.emplace_back(column);
        const std::string covers = unique.expression ? "an expression without it." : "only " + quoted_list(unique.columns) + ".";
        const std::string form = unique.primary ? "PRIMARY KEY (" : "UNIQUE (";
        return refusal(what + " on " + in_quotes(table.name) + " must include the shard key",
                       sharded_by(table, column) + "the " + (unique.primary ? "key" : unique.constraint ? "constraint" : "index") +
                           " covers " + covers,
                       (unique.expression ? std::string("Add ") + in_quotes(column) + " to the index"
                                          : "Use " + form + list(wanted) + ")") +
                           ", or " + reference_call(table.name) + ".");
    }
    for (const ExclusionFacts& exclusion : table.exclusions) {
        if (among(exclusion.equal, column)) continue;
        return refusal("exclusion constraint on " + in_quotes(table.name) + " must include the shard key",
                       sharded_by(table, column) + "the constraint " + in_quotes(exclusion.name) + " does not compare it by =.",
                       "Add " + in_quotes(column) + " WITH = to the constraint.");
    }
    return std::nullopt;
}

/// True if the foreign key pairs the referencing table's shard key with the referenced one's.
bool pairs(const ForeignKeyFacts& key, std::string_view referencing, std::string_view referenced) {
    for (std::size_t i = 0; i < key.columns.size() && i < key.other_columns.size(); ++i) {
        if (key.columns[i] == referencing && key.other_columns[i] == referenced) return true;
    }
    return false;
}

std::optional<Error> why_not_reference_out(const TableFacts& table, const ForeignKeyFacts& key, std::string_view column,
                                           std::optional<GroupId> group) {
    using As = Placed::As;
    if (!key.own && key.placed.as == As::kReference) return std::nullopt;
    const std::string message = "foreign key constraint " + in_quotes(key.name) + " on " + in_quotes(table.name) + " cannot be kept";
    if (!key.own && key.placed.as == As::kLocal) {
        return refusal(message, sharded_by(table, column) + "table " + key.table + " lies on one shard only.",
                       "Distribute " + key.table + " first with the same key, or " + reference_call(key.table) + ".");
    }
    if (!key.own && (!group || key.placed.group != *group)) {
        return refusal(message, "Table " + key.table + " is sharded in another group, so its rows lie elsewhere.",
                       "Use colocate_with => " + planner::quote_literal(key.table) + ".");
    }
    const std::string& other_key = key.own ? std::string(column) : key.placed.key;
    if (pairs(key, column, other_key)) return std::nullopt;
    return refusal(message,
                   sharded_by(table, column) + "the constraint does not tie " + in_quotes(column) + " to the shard key " +
                       in_quotes(other_key) + " of " + key.table + ".",
                   "Include both shard keys: FOREIGN KEY (" + planner::quote_identifier(column) + ", …) REFERENCES " + key.table +
                       " (" + planner::quote_identifier(other_key) + ", …).");
}

std::optional<Error> why_not_referenced(const TableFacts& table, const ForeignKeyFacts& key, std::string_view column,
                                        std::optional<GroupId> group) {
    using As = Placed::As;
    if (key.own) return std::nullopt;  // judged from the other end
    const std::string message =
        "cannot distribute table " + in_quotes(table.name) + ": it is referenced by constraint " + in_quotes(key.name) + " of " + key.table;
    if (key.placed.as == As::kReference) {
        return refusal(message, "Table " + key.table + " is whole on every shard; the rows that it refers to would not be.",
                       "Drop the constraint, or " + reference_call(table.name) + ".");
    }
    if (key.placed.as == As::kSharded) {
        const bool together = group && key.placed.group == *group && pairs(key, key.placed.key, column);
        if (together) return std::nullopt;
        return refusal(message, "The rows of both tables would lie on different shards.",
                       "Use colocate_with => " + planner::quote_literal(key.table) + " and the column that it refers to.");
    }
    // An empty table at home can only come to refer to rows at home, where the constraint is enforced.
    if (key.has_rows) {
        return refusal(message, "The rows of " + key.table + " lie on one shard, away from those that they refer to.",
                       "Drop the constraint, distribute both tables by the same key, and add it again.");
    }
    return std::nullopt;
}

std::optional<Error> why_not_code(const TableFacts& table) {
    for (const CodeFacts& policy : table.policies) {
        if (!policy.reads && policy.functions.empty()) continue;
        return refusal("policy " + in_quotes(policy.name) + " of " + in_quotes(table.name) + " may read other tables",
                       "On a shard it would see that shard's part only, and could show what it must hide.",
                       "Use policies that look at the row and at settings only.");
    }
    for (const CodeFacts& check : table.checks) {
        return refusal("check constraint " + in_quotes(check.name) + " of " + in_quotes(table.name) + " may read other tables",
                       "Function " + check.functions.front() + " is not IMMUTABLE.",
                       "Use immutable functions in check constraints.");
    }
    if (!table.rules.empty()) {
        return refusal("rule " + in_quotes(table.rules.front()) + " of " + in_quotes(table.name) + " cannot be kept",
                       "A rule would be carried out on one shard only.", "Drop the rule.");
    }
    return std::nullopt;
}

std::optional<Error> why_not_triggers(const TableFacts& table, std::string_view column) {
    for (const TriggerFacts& trigger : table.triggers) {
        if (trigger.enabled == 'D') continue;
        const std::string message = "trigger " + in_quotes(trigger.name) + " of " + in_quotes(table.name) + " cannot be kept";
        if (!trigger.per_row) {
            return refusal(message, "It fires once per statement, and a statement may run on several shards.",
                           "Drop it, or make it a row trigger.");
        }
        if (may_touch_tables(trigger, table.functions)) {
            return refusal(message,
                           "Function " + trigger.function + " may read or write tables; on a shard it would see that shard's part only.",
                           "Use triggers that look at the row only.");
        }
        if (!column.empty() && trigger.before && !trigger.built_in && may_change_column(trigger, column)) {
            return refusal(message, "Function " + trigger.function + " may change the shard key " + in_quotes(column) +
                                        " of a row that has already reached its shard.",
                           "Set the key before the row is written.");
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<Error> why_not_sharded(const TableFacts& table, std::string_view column, std::optional<GroupId> group) {
    if (auto error = why_not_ours(table)) return error;
    if (table.placed.as != Placed::As::kLocal) {
        return Error{.code = sqlstate::kInvalidTableDefinition,
                     .message = "table " + in_quotes(table.name) + " is already distributed",
                     .hint = "Use undistribute_table(" + planner::quote_literal(table.name) + ") first."};
    }
    if (auto error = why_not_key(table, column)) return error;
    if (auto error = why_not_unique(table, column)) return error;
    for (const ForeignKeyFacts& key : table.references) {
        if (auto error = why_not_reference_out(table, key, column, group)) return error;
    }
    for (const ForeignKeyFacts& key : table.referenced_by) {
        if (auto error = why_not_referenced(table, key, column, group)) return error;
    }
    if (auto error = why_not_code(table)) return error;
    return why_not_triggers(table, column);
}

std::optional<Error> why_not_reference(const TableFacts& table) {
    if (auto error = why_not_ours(table)) return error;
    if (table.placed.as != Placed::As::kLocal) {
        return Error{.code = sqlstate::kInvalidTableDefinition,
                     .message = "table " + in_quotes(table.name) + " is already distributed",
                     .hint = "Use undistribute_table(" + planner::quote_literal(table.name) + ") first."};
    }
    for (const ForeignKeyFacts& key : table.references) {
        if (key.own || key.placed.as == Placed::As::kReference) continue;
        return refusal("foreign key constraint " + in_quotes(key.name) + " on " + in_quotes(table.name) + " cannot be kept",
                       "A reference table is whole on every shard; the rows of " + key.table + " are not.",
                       key.placed.as == Placed::As::kLocal ? "Use " + reference_call(key.table) + " first." : "Drop the constraint.");
    }
    if (auto error = why_not_code(table)) return error;
    return why_not_triggers(table, {});
}

std::optional<Error> why_not_local(const TableFacts& table) {
    if (auto error = why_not_ours(table)) return error;
    if (table.placed.as == Placed::As::kLocal) {
        return Error{.code = sqlstate::kInvalidTableDefinition, .message = "table " + in_quotes(table.name) + " is not distributed"};
    }
    for (const ForeignKeyFacts& key : table.references) {
        if (key.own || key.placed.as != Placed::As::kSharded) continue;
        return refusal("cannot undistribute table " + in_quotes(table.name) + ": constraint " + in_quotes(key.name) + " refers to " + key.table,
                       "Table " + key.table + " is sharded; the rows referred to would lie on other shards.",
                       "Drop the constraint, undistribute both tables, and add it again.");
    }
    for (const ForeignKeyFacts& key : table.referenced_by) {
        if (key.own || key.placed.as == Placed::As::kLocal) continue;
        return refusal("cannot undistribute table " + in_quotes(table.name) + ": constraint " + in_quotes(key.name) + " of " + key.table +
                           " refers to it",
                       "Table " + key.table + " is on all shards, and its rows would refer to rows on one shard.",
                       "Drop the constraint, undistribute both tables, and add it again.");
    }
    return std::nullopt;
}

}  // namespace pgmosaic::coordinator

#include <algorithm>

#include "planner/internal/functions.h"
#include "planner/internal/statement.h"

namespace pgmosaic::planner {

namespace {

using Nodes = google::protobuf::RepeatedPtrField<pg_query::Node>;

// A table that a constraint is checked for: one that exists, or one that is being created with a shard key.
struct Subject {
    std::string name;
    Placement placement = Placement::kLocal;
    std::string key;
    GroupId group{};
    bool fresh = false;  ///< its group is not known yet
};

std::vector<std::string> strings(const Nodes& nodes) {
    std::vector<std::string> names;
    for (const pg_query::Node& node : nodes) names.push_back(node.string().sval());
    return names;
}

bool names_it(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string list(const std::vector<std::string>& names, bool quotes) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + (quotes ? quoted(name) : quote_identifier(name));
    return text;
}

void check_unique(const Subject& subject, const std::vector<std::string>& columns, const char* what) {
    if (subject.placement != Placement::kSharded || columns.empty() || names_it(columns, subject.key)) return;
    const bool primary = std::string_view(what) == "primary key";
    refuse(std::string(what) + " on " + quoted(subject.name) + " must include the shard key",
           "Table " + quoted(subject.name) + " is sharded by " + quoted(subject.key) + "; the constraint covers only " +
               list(columns, true) + ".",
           std::string("Use ") + (primary ? "PRIMARY KEY (" : "UNIQUE (") + list(columns, false) + ", " + quote_identifier(subject.key) +
               "), or SELECT create_reference_table(" + quote_literal(subject.name) + ").");
}

[[noreturn]] void refuse_foreign_key(const Subject& subject, const std::string& other, const std::string& detail,
                                     const std::string& hint) {
    refuse("foreign key from " + quoted(subject.name) + " to " + quoted(other) + " cannot be checked", detail, hint);
}

void check_colocated_key(const Subject& subject, const Table& other, const std::vector<std::string>& columns,
                         std::vector<std::string> referenced) {
    const std::string& other_key = other.columns[static_cast<std::size_t>(other.key)].name;
    if (referenced.empty() && !other.unique_keys.empty()) {
        for (int column : other.unique_keys[0]) {
            if (column >= 0) referenced.push_back(other.columns[static_cast<std::size_t>(column)].name);
        }
    }
    bool tied = false;
    for (std::size_t i = 0; i < columns.size() && i < referenced.size(); ++i) {
        tied |= columns[i] == subject.key && referenced[i] == other_key;
    }
    if (!subject.fresh && subject.group != other.group) {
        refuse_foreign_key(subject, other.name, "The two tables are not colocated: a row and what it refers to may lie on two shards.",
                           "Distribute them with colocate_with, or make " + quoted(other.name) + " a reference table.");
    }
    if (!tied) {
        refuse_foreign_key(subject, other.name,
                           "Table " + quoted(subject.name) + " is sharded by " + quoted(subject.key) + ", table " + quoted(other.name) +
                               " by " + quoted(other_key) + "; the foreign key does not pair them.",
                           "Add the shard key to both sides: FOREIGN KEY (…, " + quote_identifier(subject.key) + ") REFERENCES " +
                               quote_identifier(other.name) + " (…, " + quote_identifier(other_key) + ").");
    }
}

void check_foreign_key(const Subject& subject, const pg_query::Constraint& constraint, const std::vector<std::string>& columns,
                       PlanContext& context) {
    const Table* other = context.find_table(constraint.pktable());
    if (!other) return;  // itself, or an error that the servers report
    const std::string name = quoted(other->name);
    if (subject.placement == Placement::kSharded) {
        if (other->placement == Placement::kReference) return;
        if (other->placement == Placement::kSharded) {
            return check_colocated_key(subject, *other, columns, strings(constraint.pk_attrs()));
        }
        refuse_foreign_key(subject, other->name, "Table " + name + " is on the home shard, the rows that refer to it are on all shards.",
                           "SELECT create_reference_table(" + quote_literal(other->name) + ") first.");
    }
    if (other->placement == Placement::kSharded) {
        refuse_foreign_key(subject, other->name,
                           "Table " + name + " is sharded; a row of " + quoted(subject.name) + " cannot see all of its rows on one shard.",
                           "Shard " + quoted(subject.name) + " by the same key, or drop the foreign key.");
    }
    if (subject.placement == Placement::kReference && other->placement == Placement::kLocal) {
        refuse_foreign_key(subject, other->name, "Table " + name + " is on the home shard only, a reference table is on all.",
                           "SELECT create_reference_table(" + quote_literal(other->name) + ") first.");
    }
}

void check_constraint(const Subject& subject, const pg_query::Constraint& constraint, const std::string& column, PlanContext& context) {
    std::vector<std::string> columns = strings(constraint.keys());
    if (columns.empty() && !column.empty()) columns = {column};
    if (constraint.contype() == pg_query::CONSTR_PRIMARY) check_unique(subject, columns, "primary key");
    if (constraint.contype() == pg_query::CONSTR_UNIQUE) check_unique(subject, columns, "unique constraint");
    if (constraint.contype() == pg_query::CONSTR_EXCLUSION && subject.placement == Placement::kSharded) {
        columns.clear();
        for (const pg_query::Node& pair : constraint.exclusions()) {
            const auto& items = pair.list().items();
            const bool equal = items.size() == 2 && name_of(items[1].list().items()).name == "=";
            if (equal) columns.push_back(items[0].index_elem().name());
        }
        if (!names_it(columns, subject.key)) {
            refuse("exclusion constraint on " + quoted(subject.name) + " must include the shard key",
                   "Table " + quoted(subject.name) + " is sharded by " + quoted(subject.key) + "; rows on two shards could exclude each other.",
                   "Add " + quote_identifier(subject.key) + " WITH = to the constraint.");
        }
    }
    if (constraint.contype() == pg_query::CONSTR_FOREIGN) {
        std::vector<std::string> from = strings(constraint.fk_attrs());
        if (from.empty() && !column.empty()) from = {column};
        check_foreign_key(subject, constraint, from, context);
    }
}

void check_column(const Subject& subject, const pg_query::ColumnDef& column, PlanContext& context) {
    for (const pg_query::Node& constraint : column.constraints()) {
        check_constraint(subject, constraint.constraint(), column.colname(), context);
    }
}

// ADD COLUMN with a default that every shard would fill in its own way.
void check_new_default(const Subject& subject, const pg_query::ColumnDef& column, PlanContext& context) {
    const std::string type = name_of(column.type_name().names()).name;
    bool sequence = type == "serial" || type == "bigserial" || type == "smallserial" || type == "serial4" || type == "serial8" ||
                    type == "serial2";
    bool differs = sequence;
    for (const pg_query::Node& node : column.constraints()) {
        const pg_query::Constraint& constraint = node.constraint();
        sequence |= constraint.contype() == pg_query::CONSTR_IDENTITY;
        if (constraint.contype() != pg_query::CONSTR_DEFAULT) continue;
        walk(constraint, [&](const google::protobuf::Message& each) {
            if (as<pg_query::SQLValueFunction>(each)) differs = true;
            if (const auto* call = as<pg_query::FuncCall>(each)) {
                sequence |= is_sequence_function(name_of(call->funcname()).name);
                differs |= traits_of(*call, context.catalog, context.environment.search_path).volatility != 'i';
            }
            return true;
        });
    }
    const bool breaks = sequence || (differs && subject.placement == Placement::kReference);
    if (!breaks) return;
    refuse("cannot add column " + quoted(column.colname()) + " with this default to " + quoted(subject.name),
           "Each shard would fill the rows that exist with values of its own.",
           "Add the column without a default, fill it, then ALTER COLUMN … SET DEFAULT.");
}

void check_command(const Subject& subject, const pg_query::AlterTableCmd& command, PlanContext& context) {
    const bool key = subject.placement == Placement::kSharded && command.name() == subject.key;
    const std::string of = "Table " + quoted(subject.name) + " is sharded by " + quoted(subject.key) + ".";
    switch (command.subtype()) {
        case pg_query::AT_DropColumn:
            if (key) {
                refuse("cannot drop shard key " + quoted(subject.key) + " of " + quoted(subject.name), of,
                       "SELECT undistribute_table(" + quote_literal(subject.name) + ") first.");
            }
            break;
        case pg_query::AT_AlterColumnType:
            if (key) {
                refuse("cannot change the type of shard key " + quoted(subject.key) + " of " + quoted(subject.name),
                       of + " Its hash, and so the place of every row, depends on the type.",
                       "SELECT undistribute_table(" + quote_literal(subject.name) + ") first.");
            }
            break;
        case pg_query::AT_AddConstraint: check_constraint(subject, command.def().constraint(), {}, context); break;
        case pg_query::AT_AddColumn:
            check_column(subject, command.def().column_def(), context);
            check_new_default(subject, command.def().column_def(), context);
            break;
        case pg_query::AT_EnableAlwaysRule:
        case pg_query::AT_EnableReplicaTrig:
        case pg_query::AT_EnableAlwaysTrig:
            refuse("cannot enable a trigger or rule always or for replicas on " + quoted(subject.name),
                   "Moves of buckets and copies of reference tables would fire it again.", "Use ENABLE TRIGGER.");
        case pg_query::AT_AddInherit:
        case pg_query::AT_AttachPartition: {
            const pg_query::RangeVar& other = command.subtype() == pg_query::AT_AttachPartition ? command.def().partition_cmd().name()
                                                                                               : command.def().range_var();
            const Table* table = context.find_table(other);
            if (!table || (table->placement == subject.placement && table->group == subject.group)) break;
            refuse("cannot attach " + quoted(table->name) + " to " + quoted(subject.name),
                   "The two are not placed alike, so rows would be looked for where they are not.",
                   "Create the partition with CREATE TABLE … PARTITION OF.");
        }
        default: break;
    }
}

Subject subject_of(const Table& table) {
    Subject subject{table.name, table.placement, {}, table.group, false};
    if (table.key >= 0) subject.key = table.columns[static_cast<std::size_t>(table.key)].name;
    return subject;
}

void check_key_exists(const pg_query::CreateStmt& create, const std::string& key) {
    for (const pg_query::Node& element : create.table_elts()) {
        if (element.has_column_def() && element.column_def().colname() == key) return;
        if (element.has_table_like_clause()) return;
    }
    if (create.inh_relations_size() > 0 || create.has_of_typename()) return;
    throw PgError(Error{.code = sqlstate::kUndefinedColumn,
                        .message = "column \"" + key + "\" named in mosaic.key does not exist",
                        .hint = "Name a column of the table."});
}

}  // namespace

void check_create_table(const pg_query::CreateStmt& create, const std::string& shard_key, PlanContext& context) {
    Subject subject{create.relation().relname(), Placement::kLocal, {}, {}, true};
    if (!shard_key.empty()) {
        check_key_exists(create, shard_key);
        subject.placement = Placement::kSharded;
        subject.key = shard_key;
    }
    for (const pg_query::Node& parent : create.inh_relations()) {
        const Table* table = context.find_table(parent.range_var());
        if (!table || table->placement == Placement::kLocal) continue;
        subject = subject_of(*table);
        subject.name = create.relation().relname();
    }
    const Nodes* lists[] = {&create.table_elts(), &create.constraints()};
    for (const Nodes* elements : lists) {
        for (const pg_query::Node& element : *elements) {
            if (element.has_column_def()) check_column(subject, element.column_def(), context);
            if (element.has_constraint()) check_constraint(subject, element.constraint(), {}, context);
        }
    }
}

void check_alter_table(const pg_query::AlterTableStmt& alter, PlanContext& context) {
    const Table* table = context.find_table(alter.relation());
    if (!table) return;
    const Subject subject = subject_of(*table);
    for (const pg_query::Node& command : alter.cmds()) {
        if (table->placement == Placement::kLocal) {
            // Only what ties it to other tables matters.
            const pg_query::AlterTableCmd& each = command.alter_table_cmd();
            if (each.subtype() == pg_query::AT_AddConstraint) check_constraint(subject, each.def().constraint(), {}, context);
            if (each.subtype() == pg_query::AT_AddColumn) check_column(subject, each.def().column_def(), context);
            continue;
        }
        check_command(subject, command.alter_table_cmd(), context);
    }
}

void check_index(const pg_query::IndexStmt& index, PlanContext& context) {
    const Table* table = context.find_table(index.relation());
    if (!table || !index.unique() || table->placement != Placement::kSharded) return;
    std::vector<std::string> columns;
    for (const pg_query::Node& part : index.index_params()) {
        columns.push_back(part.index_elem().name().empty() ? "(expression)" : part.index_elem().name());
    }
    check_unique(subject_of(*table), columns, "unique index");
}

}  // namespace pgmosaic::planner

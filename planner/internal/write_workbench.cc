#include <algorithm>

#include "planner/internal/create_as.h"
#include "planner/internal/select_build.h"
#include "planner/internal/select_workbench.h"
#include "planner/internal/statement.h"
#include "planner/internal/write_workbench.h"

/// Writes that no shard can do for itself: the statement runs as it is on the workbench, over the rows that it reads and the rows that it
/// may change, which are locked where they live; what it has done there to temporary tables is then done to the shards' rows.
namespace pgmosaic::planner {

namespace {

using pg_query::Node;

[[noreturn]] void cannot_write(const Table& table, const std::string& detail, const std::string& hint = "Read first, then write the values.") {
    refuse("cannot write " + quoted(table.name) + " in a statement that reads or writes other shards", detail, hint);
}

const RangeEntry* written_entry(const QueryAnalysis& analysis, std::size_t level) {
    for (const RangeEntry& entry : analysis.entries) {
        if (entry.target && static_cast<std::size_t>(entry.level) == level) return &entry;
    }
    return nullptr;
}

const google::protobuf::RepeatedPtrField<Node>* returning_items(const Node& write) {
    if (write.has_insert_stmt()) return &write.insert_stmt().returning_list();
    if (write.has_update_stmt()) return &write.update_stmt().returning_list();
    if (write.has_delete_stmt()) return &write.delete_stmt().returning_list();
    return nullptr;
}

void check_insert(const pg_query::InsertStmt& insert, const Table& table) {
    if (insert.override() == pg_query::OVERRIDING_USER_VALUE) {
        cannot_write(table, "OVERRIDING USER VALUE is not known where the rows are made.", "Leave the identity column out.");
    }
}

// The workbench knows the unique keys of plain columns, without names.
void check_conflict(const pg_query::OnConflictClause& conflict, const Table& table) {
    const std::string hint = "Read first, then INSERT … ON CONFLICT the values.";
    if (table.has_row_triggers) cannot_write(table, "Its triggers may change a row before it meets one that is there.", hint);
    if (!conflict.infer().conname().empty()) cannot_write(table, "ON CONFLICT names a constraint.", "Name the constraint's columns.");
    if (conflict.infer().has_where_clause()) cannot_write(table, "ON CONFLICT means a partial index.", hint);
    for (const Node& element : conflict.infer().index_elems()) {
        if (element.index_elem().name().empty()) cannot_write(table, "ON CONFLICT means an index over an expression.", hint);
    }
    if (table.placement != Placement::kSharded || conflict.infer().index_elems_size() == 0) return;
    const std::string& key = table.columns[static_cast<std::size_t>(table.key)].name;
    const auto& elements = conflict.infer().index_elems();
    const bool by_key = std::any_of(elements.begin(), elements.end(), [&](const Node& element) { return element.index_elem().name() == key; });
    if (!by_key) cannot_write(table, "ON CONFLICT does not include the shard key " + quoted(key) + ", so that no unique constraint can stand behind it.", hint);
}

void check_table(const Table& table, const Level& level) {
    if (table.kind != 'r' && table.kind != 'p') cannot_write(table, "It is not a table.", "Name the table itself.");
    if (table.has_row_security) cannot_write(table, "It has row security, which is judged on each shard apart.");
    const auto* returning = returning_items(*level.write);
    if (table.has_row_triggers && returning && !returning->empty()) {
        cannot_write(table, "RETURNING is computed before the rows reach the shards, whose triggers may change them.", "Leave RETURNING out.");
    }
    if (table.has_row_triggers && table.placement == Placement::kReference) {
        cannot_write(table, "Its triggers would run once on every shard.", "Drop the trigger, or use INSERT and DELETE by key.");
    }
    if (level.write->has_insert_stmt()) check_insert(level.write->insert_stmt(), table);
}

std::string table_name(const Table& table) {
    return quote_identifier(table.temporary ? "pg_temp" : table.schema) + "." + quote_identifier(table.name);
}

/// Columns of a key none of which is NULL; null if there is no such key.
const std::vector<int>* row_key(const Table& table) {
    for (const std::vector<int>& key : table.unique_keys) {
        const bool sure = !key.empty() && std::all_of(key.begin(), key.end(), [&](int column) {
            return column >= 0 && table.columns[static_cast<std::size_t>(column)].not_null;
        });
        if (sure) return &key;
    }
    return nullptr;
}

void note_assignments(const google::protobuf::RepeatedPtrField<Node>& assignments, WrittenTable& written) {
    for (const Node& assignment : assignments) {
        for (WrittenTable::Column& column : written.columns) column.assigned |= column.name == assignment.res_target().name();
    }
}

// Rows whose own keys change must not be referred to meanwhile.
bool changes_keys(const Table& table, const WrittenTable& written) {
    const auto assigned = [&](int index) {
        const std::string& name = table.columns[static_cast<std::size_t>(index)].name;
        return std::any_of(written.columns.begin(), written.columns.end(), [&](const auto& column) { return column.assigned && column.name == name; });
    };
    return std::any_of(table.unique_keys.begin(), table.unique_keys.end(), [&](const std::vector<int>& key) {
        return std::any_of(key.begin(), key.end(), [&](int index) { return index >= 0 && assigned(index); });
    });
}

bool gives_default(const google::protobuf::Message& message) {
    bool found = false;
    walk(message, [&](const google::protobuf::Message& each) {
        found |= as<pg_query::SetToDefault>(each) != nullptr;
        return !found;
    });
    return found;
}

using Items = google::protobuf::RepeatedPtrField<Node>;

// Without a list the values are those of the first columns.
bool is_given(const Items& names, std::size_t values, const Table& table, const std::string& column) {
    if (!names.empty()) return std::any_of(names.begin(), names.end(), [&](const Node& name) { return name.res_target().name() == column; });
    for (std::size_t i = 0; i < std::min(values, table.columns.size()); ++i) {
        if (table.columns[i].name == column) return true;
    }
    return false;
}

/// True if a row that this level makes may get the column's default.
bool may_default(const QueryAnalysis& analysis, const Level& level, const Table& table, const std::string& column) {
    const Node& write = *level.write;
    if (gives_default(write)) return true;
    if (write.has_insert_stmt()) {
        if (level.source < 0) return true;
        const Level& source = analysis.levels[static_cast<std::size_t>(level.source)];
        const std::size_t values = source.output_known ? source.output_names.size() : 0;
        return !is_given(write.insert_stmt().cols(), values, table, column);
    }
    const auto& whens = write.merge_stmt().merge_when_clauses();
    return std::any_of(whens.begin(), whens.end(), [&](const Node& node) {
        const pg_query::MergeWhenClause& when = node.merge_when_clause();
        return when.command_type() == pg_query::CMD_INSERT &&
               !is_given(when.target_list(), static_cast<std::size_t>(when.values_size()), table, column);
    });
}

void drop_fills(WrittenTable& written) {
    for (WrittenTable::Column& column : written.columns) {
        if (!column.may_default) column.fill.clear();
    }
}

}  // namespace

std::optional<SelectText> own_words(StatementText text) {
    static constexpr std::string_view kFirst[] = {"with", "insert", "update", "delete", "merge", "select"};
    Token first;
    if (!Lexer(text.text).next(first)) return std::nullopt;
    std::string word(first.text(text.text));
    std::transform(word.begin(), word.end(), word.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
    return one_of(word, kFirst) || word == "(" ? std::optional(SelectText{text.text, text.offset}) : std::nullopt;
}

// ---------------------------------------------------------------- one table

/// What the levels of the statement do to it.
void WorkbenchPlanner::read_actions(const Level& level, const Table& table, WrittenTable& written) const {
    const Node& write = *level.write;
    check_table(table, level);
    for (WrittenTable::Column& column : written.columns) column.may_default |= may_default(analysis_, level, table, column.name);
    if (write.has_insert_stmt()) {
        const pg_query::OnConflictClause& conflict = write.insert_stmt().on_conflict_clause();
        written.inserts = true;
        written.conflicts |= write.insert_stmt().has_on_conflict_clause();
        written.updates |= conflict.action() == pg_query::ONCONFLICT_UPDATE;
        if (write.insert_stmt().has_on_conflict_clause()) check_conflict(conflict, table);
        note_assignments(conflict.target_list(), written);
    }
    if (write.has_delete_stmt()) written.deletes = true;
    if (write.has_update_stmt()) {
        written.updates = true;
        note_assignments(write.update_stmt().target_list(), written);
    }
    for (const Node& node : write.merge_stmt().merge_when_clauses()) {
        const pg_query::MergeWhenClause& when = node.merge_when_clause();
        written.inserts |= when.command_type() == pg_query::CMD_INSERT;
        written.deletes |= when.command_type() == pg_query::CMD_DELETE;
        if (when.command_type() != pg_query::CMD_UPDATE) continue;
        written.updates = true;
        note_assignments(when.target_list(), written);
    }
    written.main |= &level == &analysis_.levels.front();
}

/// All columns that can be given a value, and where the rows belong.
WrittenTable WorkbenchPlanner::describe_table(const Table& table) const {
    WrittenTable written;
    written.table = table.oid;
    written.placement = table.placement;
    written.qualified = table_name(table);
    written.ordinary_triggers = table.has_row_triggers;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const Column& column = table.columns[i];
        if (column.generated) continue;
        if (table.placement == Placement::kSharded && static_cast<int>(i) == table.key) written.key = static_cast<int>(written.columns.size());
        written.columns.push_back({.name = column.name, .type_name = column.type_name, .type = column.type,
                                   .fill = column.default_needs_home ? column.default_expr : std::string()});
    }
    if (table.placement == Placement::kReference) written.lock_sql = "LOCK TABLE " + written.qualified + " IN SHARE ROW EXCLUSIVE MODE";
    if (table.placement != Placement::kSharded) return written;
    const Column& key = table.columns[static_cast<std::size_t>(table.key)];
    written.group = table.group;
    written.key_type = key.type;
    written.key_typmod = key.typmod;
    written.null_key_is_told = key.not_null && !table.has_row_triggers;
    return written;
}

std::string WorkbenchPlanner::full_definition(const Table& table, bool primary_key) const {
    std::string text;
    for (const Column& column : table.columns) {
        if (!text.empty()) text += ", ";
        text += quote_identifier(column.name) + " " + column.type_name;
        if (!column.collation_name.empty()) text += " COLLATE " + column.collation_name;
        if (column.generated) text += " GENERATED ALWAYS AS (" + column.default_expr + ") STORED";
        else if (!column.default_expr.empty() && !column.default_needs_home) text += " DEFAULT " + column.default_expr;
    }
    return primary_key ? text + key_definition(table) : text;
}

/// What tells a pulled row from all others on the shards, for as long as it is locked.
void WorkbenchPlanner::read_identity(const Table& table, WrittenTable& written) const {
    if (table.placement != Placement::kReference) {
        written.identity = {{"pgm$shard", "pg_catalog.int4"}, {"pgm$table", "pg_catalog.oid"}, {"pgm$row", "pg_catalog.tid"}};
        return;
    }
    const std::vector<int>* key = row_key(table);
    if (!key) cannot_write(table, "Its copies differ in where a row is, and it has no primary key to tell its rows apart.", "Add a primary key.");
    for (const int index : *key) {
        const Column& column = table.columns[static_cast<std::size_t>(index)];
        written.identity.push_back({.name = "pgm$key" + std::to_string(written.identity.size() + 1), .type_name = column.type_name, .column = column.name});
    }
}

void WorkbenchPlanner::read_pull(const Source& source, const PulledTable& table, WrittenTable& written) const {
    const Table& from = *source.first;
    const std::string alias = quote_identifier(table.entry->alias);
    const bool reference = from.placement == Placement::kReference;
    std::string values = reference ? "" : "$shard$::pg_catalog.int4, " + alias + ".tableoid, " + alias + ".ctid";
    const auto add = [](std::string& list, const std::string& item) { list += (list.empty() ? "" : ", ") + item; };
    for (const WrittenTable::Identity& part : written.identity) {
        add(written.pulled_columns, quote_identifier(part.name));
        if (reference) add(values, alias + "." + quote_identifier(part.column));
    }
    const std::vector<int> needed = column_list(source, table);
    const bool computed = std::any_of(needed.begin(), needed.end(), [&](int index) { return from.columns[static_cast<std::size_t>(index)].generated; });
    for (std::size_t i = 0; i < from.columns.size(); ++i) {
        const bool wanted = written.moves || computed || std::find(needed.begin(), needed.end(), static_cast<int>(i)) != needed.end();
        if (!wanted || from.columns[i].generated) continue;
        add(written.pulled_columns, quote_identifier(from.columns[i].name));
        add(values, alias + "." + quote_identifier(from.columns[i].name));
    }
    const bool gone = written.deletes || written.moves || changes_keys(from, written);
    written.pull_sql = "SELECT " + values + " FROM " + (source.second ? "" : "ONLY ") + written.qualified + " AS " + alias + filters(table) +
                       (gone ? " FOR UPDATE OF " : " FOR NO KEY UPDATE OF ") + alias;
    if (table.occurrences != 1 || from.placement != Placement::kSharded) return;
    if (auto keys = analysis_.key_values(static_cast<int>(table.entry - analysis_.entries.data()))) written.prune.push_back(std::move(*keys));
}

WrittenTable WorkbenchPlanner::written_table(const Source& source, const PulledTable& table) {
    const Table& to = *source.first;
    WrittenTable written = describe_table(to);
    for (std::size_t i = 0; i < analysis_.levels.size(); ++i) {
        const RangeEntry* entry = analysis_.levels[i].write ? written_entry(analysis_, i) : nullptr;
        const bool here = entry && entry->table == &to && entry->range_var->inh() == source.second && !analysis_.levels[i].write->has_insert_stmt();
        if (here) read_actions(analysis_.levels[i], to, written);
    }
    drop_fills(written);
    written.name = table.name;
    written.rows = table.name + "_rows";
    written.moves = written.key >= 0 && written.columns[static_cast<std::size_t>(written.key)].assigned;
    if (written.moves && to.has_row_triggers) {
        cannot_write(to, "Rows that get another shard key move to another shard, where triggers would see an insert instead of an update.",
                     "Insert the row with its new key, then delete the old one.");
    }
    written.definition = full_definition(to, table.primary_key);
    read_identity(to, written);
    read_pull(source, table, written);
    return written;
}

WrittenTable WorkbenchPlanner::inserted_table(const Table& table, const std::string& name) {
    WrittenTable written = describe_table(table);
    for (std::size_t i = 0; i < analysis_.levels.size(); ++i) {
        const RangeEntry* entry = analysis_.levels[i].write ? written_entry(analysis_, i) : nullptr;
        if (entry && entry->table == &table && analysis_.levels[i].write->has_insert_stmt()) read_actions(analysis_.levels[i], table, written);
    }
    drop_fills(written);
    written.name = name;
    written.definition = full_definition(table, false);
    if (written.conflicts) read_rows_in_the_way(table, written);
    return written;
}

/// Which rows will be in the way is known when the statement runs: all of them come.
void WorkbenchPlanner::read_rows_in_the_way(const Table& table, WrittenTable& written) const {
    const std::vector<int>* key = row_key(table);
    if (!key) cannot_write(table, "It has no primary key to tell its rows apart.", "Add a primary key.");
    for (const int index : *key) {
        const std::string& name = table.columns[static_cast<std::size_t>(index)].name;
        written.key_names.push_back(name);
        for (const WrittenTable::Column& column : written.columns) {
            if (column.assigned && column.name == name) cannot_write(table, "ON CONFLICT changes a row's key.", "Leave the key out of DO UPDATE SET.");
        }
    }
    for (const std::vector<int>& unique : table.unique_keys) {
        std::string names;
        for (const int index : unique) names += (names.empty() ? "" : ", ") + quote_identifier(table.columns[static_cast<std::size_t>(index)].name);
        written.definition += ", UNIQUE (" + names + ")";
    }
    written.rows = written.name + "_rows";
    read_identity(table, written);
    std::string values = written.identity.front().column.empty() ? "$shard$::pg_catalog.int4, tableoid, ctid" : "";
    const auto add = [](std::string& list, const std::string& item) { list += (list.empty() ? "" : ", ") + item; };
    for (const WrittenTable::Identity& part : written.identity) {
        add(written.pulled_columns, quote_identifier(part.name));
        if (!part.column.empty()) add(values, quote_identifier(part.column));
    }
    for (const WrittenTable::Column& column : written.columns) {
        add(written.pulled_columns, quote_identifier(column.name));
        add(values, quote_identifier(column.name));
    }
    written.pull_sql = "SELECT " + values + " FROM " + written.qualified + (written.updates ? " FOR NO KEY UPDATE" : " FOR KEY SHARE");
}

// ---------------------------------------------------------------- the statement

void WorkbenchPlanner::target_relation(const pg_query::RangeVar& original, pg_query::RangeVar& copy) {
    const auto found = by_range_var_.find(&original);
    PGM_CHECK(found != by_range_var_.end(), "the target of a write is a range entry");
    const RangeEntry& entry = *found->second;
    if (entry.kind != RangeEntry::Kind::kTable) cannot_write(*entry.table, "It is a view.", "Name the table itself.");
    const auto into = into_.find(entry.table);
    const bool inserts = analysis_.levels[static_cast<std::size_t>(entry.level)].write->has_insert_stmt();
    const std::string& name = inserts ? into->second : tables_[{entry.table, original.inh()}].name;
    const bool renamed = !original.has_alias();
    if (renamed) copy.mutable_alias()->set_aliasname(original.relname());
    copy.set_schemaname("pg_temp");
    copy.set_relname(name);
    copy.set_inh(true);
    if (edits_) edits_->replace_relation(original.location(), "pg_temp." + name, renamed ? quote_identifier(original.relname()) : std::string());
}

// SET array[1] = … and SET row.field = … keep the rest of the old value.
void WorkbenchPlanner::need_parts_of_columns() {
    for (const Level& level : analysis_.levels) {
        if (!level.write) continue;
        walk(*level.write, [&](const Message& message) {
            const auto* target = as<pg_query::ResTarget>(message);
            if (target && target->indirection_size() > 0) column_names_.insert(target->name());
            return true;
        });
    }
}

Workbench WorkbenchPlanner::plan_write(const Node& statement, std::optional<SelectText> text, std::vector<WrittenTable>& written) {
    Workbench plan;
    collect_target_stars();
    need_parts_of_columns();
    std::optional<TextEdits> edits;
    if (text) edits.emplace(text->text, text->offset);
    edits_ = edits ? &*edits : nullptr;
    Node copy = statement;
    rewrite(statement, copy);
    edits_ = nullptr;
    for (const Source& source : targets_) {
        const PulledTable& table = tables_.at(source);
        const bool known = std::any_of(written.begin(), written.end(), [&](const WrittenTable& each) { return each.name == table.name; });
        if (!known) written.push_back(written_table(source, table));
    }
    for (const Table* table : insert_targets_) written.push_back(inserted_table(*table, into_.at(table)));
    const auto read = std::count_if(tables_.begin(), tables_.end(), [](const auto& each) { return !each.second.target; });
    parameters_stay_ = read > 1;
    for (const auto& [source, table] : tables_) {
        if (!table.target) plan.pulls.push_back(pull(source, table));
    }
    const auto edited = edits ? edits->result() : std::nullopt;
    plan.final_sql = edited ? *edited : write_statement(std::move(copy));
    return plan;
}

Statement plan_workbench_write(const Node& node, const QueryAnalysis& analysis, StatementText text, PlanContext& context) {
    check_spread(analysis);
    if (analysis.has_locking) {
        refuse("cannot lock rows in a statement that writes several shards", "The rows are read on the workbench.", "Lock them with a SELECT before.");
    }
    walk(node, [](const google::protobuf::Message& each) {
        if (as<pg_query::CurrentOfExpr>(each)) {
            refuse("cannot use WHERE CURRENT OF on several shards", "The cursor's row may lie on another shard.", "Use the row's primary key.");
        }
        return true;
    });
    context.exact_literals = true;
    Statement statement;
    statement.plan = PlanKind::kWorkbench;
    statement.reason = "rows of the tables are locked and pulled to the workbench, what is done to them there is done on their shards";
    PlanDetails details;
    statement.workbench = WorkbenchPlanner(analysis, context).plan_write(node, own_words(text), details.written);
    set_details(statement, std::move(details));
    return statement;
}

}  // namespace pgmosaic::planner

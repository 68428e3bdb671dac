#include "planner/internal/insert_select.h"

#include <algorithm>

#include "planner/internal/create_as.h"
#include "planner/internal/functions.h"
#include "planner/plan_details.h"

namespace pgmosaic::planner {

namespace {

std::string table_text(const Table& table) { return quote_identifier(table.schema) + "." + quote_identifier(table.name); }

// The query with the INSERT's WITH as its own.
std::string source_of(const pg_query::InsertStmt& insert, const Table& table) {
    pg_query::Node node = insert.select_stmt();
    if (!insert.has_with_clause()) return deparse(node);
    pg_query::SelectStmt& select = *node.mutable_select_stmt();
    if (select.has_with_clause()) {
        refuse("cannot insert into " + quoted(table.name) + " with WITH before and behind INSERT",
               "The rows of the query are evaluated once, apart from the INSERT.", "Write one WITH.");
    }
    *select.mutable_with_clause() = insert.with_clause();
    return deparse(node);
}

// What the shards evaluate for themselves must need nothing but the row.
void check_tail(const pg_query::InsertStmt& insert, const Table& table) {
    const auto check = [&](const google::protobuf::Message& message) {
        walk(message, [&](const google::protobuf::Message& each) {
            const auto* call = as<pg_query::FuncCall>(each);
            const bool reads = as<pg_query::SubLink>(each) != nullptr || (call && is_sequence_function(name_of(call->funcname()).name));
            if (!reads) return true;
            refuse("cannot insert into " + quoted(table.name) + " with a sub-query or a sequence in ON CONFLICT or RETURNING",
                   "It is evaluated on each row's shard, where it would see that shard's rows only.", "Read first, then insert.");
        });
    };
    if (insert.has_on_conflict_clause()) check(insert.on_conflict_clause());
    for (const pg_query::Node& returned : insert.returning_list()) check(returned);
}

void add_column(pg_query::InsertStmt& insert, const std::string& name) {
    pg_query::ColumnRef& column = *insert.add_returning_list()->mutable_res_target()->mutable_val()->mutable_column_ref();
    column.add_fields()->mutable_string()->set_sval(name);
}

// What stands before the rows, and what follows them as the parser writes it. A reference table's leader tells first what it has stored.
void read_frame(const pg_query::InsertStmt& insert, const Table& table, InsertSelect& made) {
    pg_query::Node node;
    pg_query::InsertStmt& frame = *node.mutable_insert_stmt();
    frame = insert;
    frame.clear_with_clause();
    frame.clear_select_stmt();
    frame.clear_cols();
    frame.set_override(pg_query::OVERRIDING_NOT_SET);
    if (table.placement == Placement::kReference) {
        frame.clear_returning_list();
        for (const std::string& name : made.copied) add_column(frame, name);
        for (const pg_query::Node& returned : insert.returning_list()) *frame.add_returning_list() = returned;
    }
    made.tail = std::string(text_behind_word(deparse(node), "values"));
    const pg_query::RangeVar& relation = insert.relation();
    made.head = "INSERT INTO " + name_text(relation);
    if (relation.has_alias()) made.head += " AS " + quote_identifier(relation.alias().aliasname());
}

void read_copies(const pg_query::InsertStmt& insert, const Table& table, InsertSelect& made) {
    if (insert.has_on_conflict_clause() && insert.on_conflict_clause().action() == pg_query::ONCONFLICT_UPDATE) {
        refuse("cannot insert or update reference table " + quoted(table.name) + " from a query",
               "Which of its rows are changed is known on one copy only.", "Insert and update in two statements.");
    }
    std::string columns;
    for (const Column& column : table.columns) {
        if (column.generated) continue;
        made.copied.push_back(column.name);
        columns += (columns.empty() ? "" : ", ") + quote_identifier(column.name);
    }
    made.copy_head = "INSERT INTO " + table_text(table) + " (" + columns + ") OVERRIDING SYSTEM VALUE";
    made.lock_sql = "LOCK TABLE " + table_text(table) + " IN SHARE ROW EXCLUSIVE MODE";
}

void read_targets(const pg_query::InsertStmt& insert, const Table& table, const std::vector<std::size_t>& columns, InsertSelect& made) {
    const auto add = [&](std::size_t index, bool may_fill) {
        const Column& column = table.columns[index];
        InsertSelect::Target target{.name = column.name, .type_name = column.type_name, .type = column.type};
        const bool key = table.placement == Placement::kSharded && static_cast<int>(index) == table.key;
        const bool fills = table.placement == Placement::kSharded && !column.generated && (key || column.default_needs_home);
        if (may_fill && fills) target.fill = column.default_expr;
        if (!target.fill.empty() && column.identity == 'a') made.overriding = "OVERRIDING SYSTEM VALUE";
        if (key) made.key = made.targets.size();
        made.targets.push_back(std::move(target));
    };
    // Without a list the query's columns are the table's first ones, however many these are.
    const bool named = insert.cols_size() > 0;
    for (const std::size_t index : columns) add(index, !named);
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        if (std::find(columns.begin(), columns.end(), i) == columns.end()) add(i, true);
    }
}

using Nodes = google::protobuf::RepeatedPtrField<pg_query::Node>;

Nodes* returning_list_of(pg_query::Node& write) {
    if (write.has_delete_stmt()) return write.mutable_delete_stmt()->mutable_returning_list();
    if (write.has_update_stmt()) return write.mutable_update_stmt()->mutable_returning_list();
    if (write.has_insert_stmt()) return write.mutable_insert_stmt()->mutable_returning_list();
    return nullptr;
}

bool is_star(const pg_query::Node& item) {
    const auto& fields = item.res_target().val().column_ref().fields();
    return fields.size() == 1 && fields[0].has_a_star();
}

// The name that an item of RETURNING or of a SELECT's list gives its column; empty if it is not plain.
std::string output_name(const pg_query::ResTarget& item) {
    if (!item.name().empty()) return item.name();
    const auto& fields = item.val().column_ref().fields();
    return fields.empty() ? std::string() : fields[fields.size() - 1].string().sval();
}

// What RETURNING must give so that it gives what the query selects; false if an expression is more than a column of it.
bool select_from_returning(const Nodes& selected, const std::string& alias, Nodes& returning) {
    if (selected.size() == 1 && is_star(selected[0])) return true;
    const bool star = returning.size() == 1 && is_star(returning[0]);
    Nodes made;
    for (const pg_query::Node& item : selected) {
        const pg_query::ResTarget& target = item.res_target();
        if (target.val().has_a_const() || target.val().has_param_ref()) {
            *made.Add() = item;
            continue;
        }
        const auto& fields = target.val().column_ref().fields();
        const bool plain = target.indirection_size() == 0 && (fields.size() == 1 || (fields.size() == 2 && fields[0].string().sval() == alias)) &&
                           fields[fields.size() - 1].has_string();
        if (!plain) return false;
        const std::string& name = fields[fields.size() - 1].string().sval();
        if (star) {
            pg_query::Node& column = *made.Add();
            column.mutable_res_target()->mutable_val()->mutable_column_ref()->add_fields()->mutable_string()->set_sval(name);
            continue;
        }
        const auto found = std::find_if(returning.begin(), returning.end(), [&](const pg_query::Node& each) { return output_name(each.res_target()) == name; });
        if (found == returning.end()) return false;
        *made.Add() = *found;
    }
    returning = made;
    return true;
}

bool is_bare(const pg_query::SelectStmt& select) {
    return select.op() == pg_query::SETOP_NONE && select.from_clause_size() == 1 && !select.has_where_clause() && select.group_clause_size() == 0 &&
           !select.has_having_clause() && select.sort_clause_size() == 0 && !select.has_limit_count() && !select.has_limit_offset() &&
           select.distinct_clause_size() == 0 && select.window_clause_size() == 0 && select.locking_clause_size() == 0;
}

}  // namespace

std::optional<pg_query::InsertStmt> read_from_write(const pg_query::InsertStmt& insert) {
    if (!insert.has_select_stmt() || !is_bare(insert.select_stmt().select_stmt())) return std::nullopt;
    const pg_query::SelectStmt& select = insert.select_stmt().select_stmt();
    const pg_query::WithClause& with = insert.has_with_clause() ? insert.with_clause() : select.with_clause();
    if (with.ctes_size() != 1 || (insert.has_with_clause() && select.has_with_clause())) return std::nullopt;
    const pg_query::CommonTableExpr& cte = with.ctes(0).common_table_expr();
    const pg_query::RangeVar& from = select.from_clause(0).range_var();
    if (!select.from_clause(0).has_range_var() || !from.schemaname().empty() || from.relname() != cte.ctename() || cte.aliascolnames_size() > 0) return std::nullopt;
    pg_query::Node write = cte.ctequery();
    Nodes* returning = returning_list_of(write);
    if (!returning || returning->empty()) return std::nullopt;
    const std::string alias = from.has_alias() ? from.alias().aliasname() : from.relname();
    if (!select_from_returning(select.target_list(), alias, *returning)) return std::nullopt;
    pg_query::InsertStmt changed = insert;
    changed.clear_with_clause();
    *changed.mutable_select_stmt() = std::move(write);
    return changed;
}

Statement gather_insert(const pg_query::InsertStmt& insert, const Table& table, const std::vector<std::size_t>& columns,
                        PlanContext& context) {
    check_tail(insert, table);
    if (!insert.has_select_stmt()) {
        refuse("cannot insert into " + quoted(table.name) + " with this RETURNING", "It reads tables that are not on the row's shard.", "Read them with a query of their own.");
    }
    if (insert.override() == pg_query::OVERRIDING_USER_VALUE) {
        refuse("cannot insert a query's rows OVERRIDING USER VALUE", "Values of identity columns are made before the rows are spread.",
               "Leave the identity column out of the query.");
    }
    walk(insert.select_stmt(), [&](const google::protobuf::Message& each) {
        if (!as<pg_query::SetToDefault>(each)) return true;
        refuse("cannot insert into " + quoted(table.name) + " with DEFAULT beside sub-queries", "The rows are evaluated as a query, which knows no defaults.",
               "Leave the column out of the INSERT.");
    });
    context.exact_literals = true;
    Statement statement;
    statement.plan = PlanKind::kInsert;
    statement.command = Command::kInsert;
    statement.returns_rows = insert.returning_list_size() > 0;
    statement.reason = "the query is run once, its rows go to the shards of their keys";
    PlanDetails details;
    details.selects = true;
    InsertSelect& made = details.rows;
    made.table = table.oid;
    made.placement = table.placement;
    if (table.placement == Placement::kSharded) {
        const Column& key = table.columns[static_cast<std::size_t>(table.key)];
        made.group = table.group;
        made.key_type = key.type;
        made.key_typmod = key.typmod;
        made.null_key_is_told = key.not_null && !table.has_row_triggers;
    } else {
        statement.reason = "the query is run once, its rows go to the home shard";
    }
    if (insert.override() == pg_query::OVERRIDING_SYSTEM_VALUE) made.overriding = "OVERRIDING SYSTEM VALUE";
    made.at_once = insert.has_on_conflict_clause() && insert.on_conflict_clause().action() == pg_query::ONCONFLICT_UPDATE;
    made.source_sql = source_of(insert, table);
    if (table.placement == Placement::kReference) {
        if (table.has_row_triggers) {
            refuse("cannot write reference table " + quoted(table.name) + " in this way", "Its triggers would run once on every shard.", "Drop the trigger.");
        }
        read_copies(insert, table, made);
    }
    read_frame(insert, table, made);
    read_targets(insert, table, columns, made);
    set_details(statement, std::move(details));
    return statement;
}

}  // namespace pgmosaic::planner

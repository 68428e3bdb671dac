#include <algorithm>

#include "planner/internal/create_as.h"
#include "planner/internal/functions.h"
#include "planner/internal/move_rows.h"
#include "planner/plan_details.h"
#include "planner/internal/statement.h"

/// UPDATE that changes the shard key. The new row is computed from the old one by RETURNING of a DELETE, which sees what SET would
/// see, and is inserted on the shard that owns its new key.
namespace pgmosaic::planner {

namespace {

[[noreturn]] void refuse_move(const Table& table, const std::string& detail, const std::string& hint) {
    refuse("cannot change shard key " + quoted(table.columns[static_cast<std::size_t>(table.key)].name) + " of " + quoted(table.name), detail, hint);
}

// What a delete and an insert do that an update does not.
void check_move(const pg_query::UpdateStmt& update, const QueryAnalysis& analysis, const Table& table) {
    const std::string hint = "Insert the row with its new key, then delete the old one.";
    if (table.has_row_triggers) refuse_move(table, "The row moves to another shard, where the table's triggers would see an insert instead of an update.", hint);
    if (analysis.has_sequence_function || analysis.has_session_function) check_home_state(analysis);
    if (update.returning_list_size() > 0 && update.from_clause_size() > 0) {
        refuse_move(table, "RETURNING is computed where the row arrives, without the tables of FROM.", "Leave RETURNING or FROM out.");
    }
    for (const pg_query::Node& returned : update.returning_list()) {
        walk(returned, [&](const google::protobuf::Message& each) {
            if (as<pg_query::SubLink>(each)) refuse_move(table, "RETURNING has a sub-query, which would see one shard's rows.", "Read first.");
            return true;
        });
    }
}

pg_query::Node column_node(const std::string& alias, const std::string& name) {
    pg_query::Node node;
    node.mutable_column_ref()->add_fields()->mutable_string()->set_sval(alias);
    node.mutable_column_ref()->add_fields()->mutable_string()->set_sval(name);
    return node;
}

pg_query::Node default_node(const Column& column, const Table& table) {
    if (column.default_needs_home) refuse_move(table, "The default of " + quoted(column.name) + " comes from the home shard.", "Give the column a value.");
    ParsedTree tree;
    parse("SELECT " + (column.default_expr.empty() ? "NULL::" + column.type_name : column.default_expr), tree);
    PGM_CHECK(tree.result && tree.result->stmts_size() == 1, "a default is an expression");
    return tree.result->stmts(0).stmt().select_stmt().target_list(0).res_target().val();
}

// What the column has after the update, as an expression over the row before it.
pg_query::Node new_value(const pg_query::UpdateStmt& update, const Column& column, const std::string& alias, const Table& table) {
    for (const pg_query::Node& assignment : update.target_list()) {
        const pg_query::ResTarget& target = assignment.res_target();
        if (target.name() != column.name) continue;
        if (target.indirection_size() > 0 || target.val().has_multi_assign_ref()) {
            refuse_move(table, "SET assigns to a part of a column, or to several columns at once.", "Assign each column by itself.");
        }
        return target.val().has_set_to_default() ? default_node(column, table) : target.val();
    }
    return column_node(alias, column.name);
}

std::string delete_text(const pg_query::UpdateStmt& update, const Table& table, const std::string& alias) {
    pg_query::Node node;
    pg_query::DeleteStmt& gone = *node.mutable_delete_stmt();
    *gone.mutable_relation() = update.relation();
    *gone.mutable_using_clause() = update.from_clause();
    if (update.has_where_clause()) *gone.mutable_where_clause() = update.where_clause();
    if (update.has_with_clause()) *gone.mutable_with_clause() = update.with_clause();
    for (const Column& column : table.columns) {
        if (column.generated) continue;
        *gone.add_returning_list()->mutable_res_target()->mutable_val() = new_value(update, column, alias, table);
    }
    return deparse(node);
}

std::string returning_text(const pg_query::UpdateStmt& update) {
    if (update.returning_list_size() == 0) return {};
    pg_query::Node node;
    pg_query::DeleteStmt& all = *node.mutable_delete_stmt();
    all.mutable_relation()->set_relname("t");
    all.mutable_relation()->set_inh(true);
    all.mutable_relation()->set_relpersistence("p");
    *all.mutable_returning_list() = update.returning_list();
    const std::string text = deparse(node);
    return text.substr(text.find(" RETURNING ") + 1);
}

}  // namespace

Statement plan_row_move(const pg_query::UpdateStmt& update, const QueryAnalysis& analysis, const Table& table, PlanContext& context) {
    check_move(update, analysis, table);
    context.exact_literals = true;
    const pg_query::RangeVar& relation = update.relation();
    const std::string alias = relation.has_alias() ? relation.alias().aliasname() : relation.relname();
    const Column& key = table.columns[static_cast<std::size_t>(table.key)];
    Statement statement;
    statement.plan = PlanKind::kInsert;
    statement.command = Command::kUpdate;
    statement.returns_rows = update.returning_list_size() > 0;
    statement.reason = "rows get another shard key: they are deleted where they are and inserted where they belong";
    PlanDetails details;
    details.selects = true;
    InsertSelect& made = details.rows;
    made.table = table.oid;
    made.placement = Placement::kSharded;
    made.group = table.group;
    made.key_type = key.type;
    made.key_typmod = key.typmod;
    made.null_key_is_told = key.not_null;
    made.source_sql = delete_text(update, table, alias);
    made.head = "INSERT INTO " + name_text(relation) + (relation.has_alias() ? " AS " + quote_identifier(alias) : "");
    made.overriding = "OVERRIDING SYSTEM VALUE";
    made.tail = returning_text(update);
    made.verb = "UPDATE";
    for (const Column& column : table.columns) {
        if (column.generated) continue;
        if (column.name == key.name) made.key = made.targets.size();
        made.targets.push_back({.name = column.name, .type_name = column.type_name, .type = column.type});
    }
    made.moves = true;
    set_details(statement, std::move(details));
    return statement;
}

}  // namespace pgmosaic::planner

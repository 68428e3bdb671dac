#include <algorithm>

#include "planner/internal/statement.h"

namespace pgmosaic::planner {

namespace {

std::string qualified(const Table& table) { return quote_identifier(table.schema) + "." + quote_identifier(table.name); }

[[noreturn]] void refuse_differing(const Table& table, const std::string& detail, const std::string& hint) {
    refuse("cannot write reference table " + quoted(table.name) + " in this way", detail, hint);
}

// The rows go to each copy by an INSERT of its own, which would fire them again: a value of theirs may be another one then.
void check_no_triggers(const Table& table) {
    if (!table.has_row_triggers) return;
    refuse_differing(table, "Its triggers would run once on every shard.", "Drop the trigger.");
}

// The same statement on every copy must do the same to it.
void check_same_everywhere(const QueryAnalysis& analysis, const Table& table) {
    if (analysis.has_volatile || analysis.has_now || analysis.has_user_volatile) {
        refuse_differing(table, "A function in it may give another value on each shard.", "Write the value itself, or pass it as a parameter.");
    }
    if (analysis.touches_local || analysis.touches_unknown || analysis.touches_sharded) {
        refuse_differing(table, "It reads a table that is not a reference table, and so not whole on every shard.",
                         "Read first, then write the values.");
    }
    check_no_triggers(table);
    const bool picks = std::any_of(analysis.levels.begin(), analysis.levels.end(), [](const Level& level) { return level.has_limit; });
    if (picks) refuse_differing(table, "A sub-query with LIMIT may pick other rows on each shard.", "Read first, then write the values.");
}

bool is_upsert(const pg_query::InsertStmt& insert) {
    return insert.has_on_conflict_clause() && insert.on_conflict_clause().action() == pg_query::ONCONFLICT_UPDATE;
}

// Columns that the statement leaves to their defaults must have one that is the same everywhere.
void check_defaults(const pg_query::InsertStmt& insert, const Table& table) {
    const auto given = [&](std::size_t index) {
        if (insert.cols_size() == 0) {
            const auto& rows = insert.select_stmt().select_stmt().values_lists();
            return !rows.empty() && static_cast<int>(index) < rows[0].list().items_size();
        }
        return std::any_of(insert.cols().begin(), insert.cols().end(),
                           [&](const pg_query::Node& column) { return column.res_target().name() == table.columns[index].name; });
    };
    bool defaults = false;
    walk(insert, [&](const google::protobuf::Message& each) {
        defaults |= as<pg_query::SetToDefault>(each) != nullptr;
        return true;
    });
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const Column& column = table.columns[i];
        if (column.generated || (!column.default_is_volatile && column.identity == 0) || (given(i) && !defaults)) continue;
        refuse_differing(table, "The default of column " + quoted(column.name) + " may give another value on each shard.",
                         "Give the column a value, or INSERT and UPDATE in two statements.");
    }
}

void insert_through_leader(const pg_query::InsertStmt& insert, const Table& table, ReferenceWrite& write) {
    write.rows_from_leader = true;
    pg_query::Node node;
    pg_query::InsertStmt& leader = *node.mutable_insert_stmt();
    leader = insert;
    leader.clear_returning_list();
    std::string columns;
    for (const Column& column : table.columns) {
        if (column.generated) continue;
        write.columns.push_back(column.name);
        columns += (columns.empty() ? "" : ", ") + quote_identifier(column.name);
        pg_query::ColumnRef& reference = *leader.add_returning_list()->mutable_res_target()->mutable_val()->mutable_column_ref();
        reference.add_fields()->mutable_string()->set_sval(column.name);
    }
    for (const pg_query::Node& returned : insert.returning_list()) *leader.add_returning_list() = returned;
    write.leader_sql = deparse(node);
    write.copy_sql = "INSERT INTO " + qualified(table) + " (" + columns + ") OVERRIDING SYSTEM VALUE VALUES";
}

}  // namespace

Statement plan_reference_write(const pg_query::Node& node, const QueryAnalysis& analysis, PlanContext& context) {
    const Table& table = *context.find_table(target_of(node));
    if (node.has_merge_stmt()) {
        refuse_differing(table, "MERGE into reference tables is not supported.", "Use INSERT … ON CONFLICT or UPDATE.");
    }
    if (analysis.touches_sharded) {
        refuse_differing(table, "It reads sharded tables.", "Read first, then write the values.");
    }
    Statement statement;
    statement.plan = PlanKind::kReferenceWrite;
    statement.reason = "a reference table is written on every shard, the home shard first";
    statement.reference.emplace();
    ReferenceWrite& write = *statement.reference;
    write.lock_sql = "LOCK TABLE " + qualified(table) + " IN SHARE ROW EXCLUSIVE MODE";
    const bool leads = node.has_insert_stmt() && !is_upsert(node.insert_stmt());
    if (leads) {
        check_no_triggers(table);
        insert_through_leader(node.insert_stmt(), table, write);
        return statement;
    }
    check_same_everywhere(analysis, table);
    if (node.has_insert_stmt()) {
        check_defaults(node.insert_stmt(), table);
        write.upsert = true;
    }
    return statement;
}

}  // namespace pgmosaic::planner

#include "planner/internal/create_as.h"

#include "planner/plan_details.h"

/// Tables and materialized views made of queries. The table is made, and filled, on the home shard; the other shards get an empty
/// one of the same columns, so that whatever is said about it later can be said everywhere.
namespace pgmosaic::planner {

namespace {

// The statement that makes the same table without rows, written by the home shard once it has made its own.
std::string empty_table_query(const std::string& name) {
    return "SELECT pg_catalog.format('CREATE %sTABLE IF NOT EXISTS %I.%I (%s)%s%s', CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED ' ELSE '' END, "
           "n.nspname, c.relname, (SELECT pg_catalog.string_agg(pg_catalog.format('%I %s%s', a.attname, "
           "pg_catalog.format_type(a.atttypid, a.atttypmod), CASE WHEN a.attcollation <> t.typcollation THEN "
           "(SELECT pg_catalog.format(' COLLATE %s.%I', l.collnamespace::pg_catalog.regnamespace, l.collname) FROM pg_catalog.pg_collation l "
           "WHERE l.oid = a.attcollation) ELSE '' END), ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t "
           "ON t.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attnum > 0), "
           "CASE WHEN m.amname IS DISTINCT FROM pg_catalog.current_setting('default_table_access_method') THEN ' USING ' || m.amname ELSE '' END, "
           "' WITH (' || pg_catalog.array_to_string(c.reloptions, ', ') || ')') "
           "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam "
           "WHERE c.relkind = 'r' AND c.oid = pg_catalog.to_regclass(" + quote_literal(name) + ")";
}

std::string empty_view_query(const std::string& name) {
    return "SELECT pg_catalog.format('CREATE MATERIALIZED VIEW IF NOT EXISTS %I.%I AS %s WITH NO DATA', n.nspname, c.relname, "
           "pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';')) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
           "ON n.oid = c.relnamespace WHERE c.relkind = 'm' AND c.oid = pg_catalog.to_regclass(" + quote_literal(name) + ")";
}

Statement on_home_first(const std::string& elsewhere_query) {
    Statement statement;
    statement.command = Command::kDdl;
    statement.plan = PlanKind::kBroadcast;
    statement.changes_catalog = true;
    PlanDetails details;
    details.elsewhere_query = elsewhere_query;
    set_details(statement, std::move(details));
    statement.reason = "it is filled on the home shard, and exists on all";
    return statement;
}

// Rows that no shard can select alone: the table first, then its rows.
void fill_from_shards(const pg_query::Node& node, const std::string& name, Statement& statement) {
    pg_query::Node changed = node;
    pg_query::CreateTableAsStmt& empty = *changed.mutable_create_table_as_stmt();
    empty.mutable_into()->set_skip_data(true);
    empty.set_if_not_exists(false);
    statement.rewritten = deparse(changed);
    PlanDetails details = details_of(statement);
    details.selects = true;
    InsertSelect& made = details.rows;
    made.source_sql = deparse(node.create_table_as_stmt().query());
    made.head = "INSERT INTO " + name;
    made.verb = "SELECT";
    set_details(statement, std::move(details));
}

}  // namespace

std::string name_text(const pg_query::RangeVar& relation) {
    const std::string name = quote_identifier(relation.relname());
    return relation.schemaname().empty() ? name : quote_identifier(relation.schemaname()) + "." + name;
}

Statement plan_create_as(const pg_query::Node& node, PlanContext& context) {
    const pg_query::CreateTableAsStmt& create = node.create_table_as_stmt();
    const pg_query::RangeVar& relation = create.into().rel();
    const bool view = create.objtype() == pg_query::OBJECT_MATVIEW;
    const bool temporary = !view && is_temporary(relation, context);
    const std::string name = name_text(relation);
    Statement statement = on_home_first(view ? empty_view_query(name) : empty_table_query(name));
    const auto at_home = [&] {
        if (!temporary) return statement;
        Statement own = route_home(Command::kDdl);
        own.pins = own.changes_catalog = true;
        own.reason = "temporary objects live on the home shard";
        return own;
    };
    if (create.into().skip_data() || create.query().has_execute_stmt()) return at_home();
    const auto analysis = analyze(create.query(), context);
    statement.reads_sequences = analysis->has_sequence_read;
    if (!analysis->touches_sharded) return at_home();
    if (temporary) {
        refuse("cannot create a temporary table from sharded tables", "A temporary table lives on the home shard, their rows do not.",
               "CREATE TEMPORARY TABLE … (columns) first, then INSERT … SELECT.");
    }
    if (view) {
        refuse("cannot create a materialized view over sharded tables", "Each shard would keep the rows of its own part only.",
               "Use a view, or a table filled by CREATE TABLE AS.");
    }
    if (create.if_not_exists() && context.find_table(relation)) return statement;  // a notice, and nothing else
    fill_from_shards(node, name, statement);
    statement.reason = "the query is run once, its rows go to the home shard";
    return statement;
}

}  // namespace pgmosaic::planner

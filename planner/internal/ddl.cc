#include <algorithm>

#include "planner/internal/create_as.h"
#include "planner/internal/functions.h"
#include "planner/internal/role_password.h"
#include "planner/internal/statement.h"
#include "planner/plan_details.h"

namespace pgmosaic::planner {

bool is_temporary(const pg_query::RangeVar& relation, const PlanContext& context) {
    if (relation.relpersistence() == "t" || relation.schemaname().substr(0, 7) == "pg_temp") return true;
    const Table* table = context.find_table(relation);
    return table && table->temporary;
}

namespace {

using google::protobuf::RepeatedPtrField;

Statement broadcast(bool changes_catalog = true) {
    Statement statement;
    statement.command = Command::kDdl;
    statement.plan = PlanKind::kBroadcast;
    statement.changes_catalog = changes_catalog;
    statement.reason = "definitions are the same on all shards";
    return statement;
}

Statement temporary_statement() {
    Statement statement = route_home(Command::kDdl);
    statement.pins = true;
    statement.changes_catalog = true;
    statement.reason = "temporary objects live on the home shard";
    return statement;
}

bool touches_temporary(const google::protobuf::Message& message, const PlanContext& context) {
    bool found = false;
    walk(message, [&](const google::protobuf::Message& each) {
        if (const auto* relation = as<pg_query::RangeVar>(each)) found |= is_temporary(*relation, context);
        // CREATE FUNCTION pg_temp.f(): a part of a name.
        if (const auto* word = as<pg_query::String>(each)) found |= word->sval() == "pg_temp";
        return !found;
    });
    return found;
}

bool is_on(const RepeatedPtrField<pg_query::Node>& options, std::string_view name) {
    for (const pg_query::Node& option : options) {
        if (option.def_elem().defname() != name) continue;
        const pg_query::Node& value = option.def_elem().arg();
        const std::string& word = value.string().sval();
        return word != "off" && word != "false" && !(value.has_integer() && value.integer().ival() == 0);
    }
    return false;
}

// ---- CREATE TABLE … WITH (mosaic.key = …)

std::string option_text(const pg_query::Node& value) {
    if (value.has_string()) return value.string().sval();
    if (value.has_type_name()) return name_of(value.type_name().names()).name;
    refuse("invalid value for a mosaic option", {}, "Write WITH (mosaic.key = 'column', mosaic.colocate_with = 'table').");
}

AdminCall::Argument constant_argument(std::string name, std::string value) {
    AdminCall::Argument argument;
    argument.name = std::move(name);
    argument.value.constant = Literal{Literal::Kind::kString, false, std::move(value)};
    return argument;
}

// The text without the mosaic options. What the options mean is told by `then`.
std::string without_mosaic_options(const pg_query::CreateStmt& create) {
    pg_query::Node node;
    pg_query::CreateStmt& kept = *node.mutable_create_stmt();
    kept = create;
    kept.clear_options();
    for (const pg_query::Node& option : create.options()) {
        if (option.def_elem().defnamespace() != "mosaic") *kept.add_options() = option;
    }
    return deparse(node);
}

Statement create_table(const pg_query::CreateStmt& create, PlanContext& context) {
    std::string key, colocate_with = "default";
    bool ours = false;
    for (const pg_query::Node& node : create.options()) {
        const pg_query::DefElem& option = node.def_elem();
        if (option.defnamespace() != "mosaic") continue;
        ours = true;
        if (option.defname() == "key") key = option_text(option.arg());
        else if (option.defname() == "colocate_with") colocate_with = option_text(option.arg());
        else refuse("unrecognized parameter \"mosaic." + option.defname() + "\"", {}, "There are mosaic.key and mosaic.colocate_with.");
    }
    if (ours && key.empty()) refuse("parameter \"mosaic.key\" is missing", {}, "Write WITH (mosaic.key = 'column').");
    if (is_temporary(create.relation(), context)) {
        if (ours) refuse("cannot shard a temporary table", "Temporary tables live on one server, for one session.");
        return temporary_statement();
    }
    check_create_table(create, key, context);
    Statement statement = broadcast();
    statement.tag = "CREATE TABLE";
    if (!ours) return statement;
    statement.rewritten = without_mosaic_options(create);
    const pg_query::RangeVar& relation = create.relation();
    std::string name = quote_identifier(relation.relname());
    if (!relation.schemaname().empty()) name = quote_identifier(relation.schemaname()) + "." + name;
    AdminCall call{.function = "create_distributed_table", .column_name = "create_distributed_table"};
    call.arguments = {constant_argument("table", name), constant_argument("column", key),
                      constant_argument("colocate_with", colocate_with)};
    statement.then = std::move(call);
    return statement;
}

// ---- tables made of queries: create_as.cc

Statement select_into(const pg_query::SelectStmt& select, PlanContext& context) {
    pg_query::Node node;
    pg_query::CreateTableAsStmt& create = *node.mutable_create_table_as_stmt();
    *create.mutable_into() = select.into_clause();
    create.set_objtype(pg_query::OBJECT_TABLE);
    pg_query::SelectStmt& query = *create.mutable_query()->mutable_select_stmt();
    query = select;
    query.clear_into_clause();
    Statement statement = plan_create_as(node, context);
    statement.tag = "SELECT";
    return statement;
}

// ---- DROP, TRUNCATE

Statement drop(const pg_query::DropStmt& drop, PlanContext& context) {
    Statement statement = broadcast();
    statement.needs_no_transaction = drop.concurrent();
    if (drop.concurrent()) statement.tag = "DROP INDEX CONCURRENTLY";
    // The other shards may lack what the home shard has had, and never have temporary tables.
    pg_query::Node again;
    pg_query::DropStmt& elsewhere = *again.mutable_drop_stmt();
    elsewhere = drop;
    elsewhere.set_missing_ok(true);
    elsewhere.clear_objects();
    for (const pg_query::Node& object : drop.objects()) {
        const QualifiedName name = object.has_list() ? name_of(object.list().items()) : QualifiedName{};
        const Table* table = context.catalog.find_table(name.schema, name.name, context.environment.search_path);
        if (!table || !table->temporary) *elsewhere.add_objects() = object;
    }
    if (elsewhere.objects_size() == 0) return temporary_statement();
    PlanDetails details;
    try {
        details.elsewhere = deparse(again);
    } catch (const PgError&) {
        if (elsewhere.objects_size() < drop.objects_size()) throw;
    }
    set_details(statement, std::move(details));
    return statement;
}

Statement truncate(const pg_query::TruncateStmt& truncate, PlanContext& context) {
    std::size_t spread = 0, temporary = 0;
    for (const pg_query::Node& relation : truncate.relations()) {
        const Table* table = context.find_table(relation.range_var());
        if (table && table->temporary) ++temporary;
        else if (table && table->placement != Placement::kLocal) ++spread;
    }
    const bool cascades = truncate.behavior() == pg_query::DROP_CASCADE;
    Statement statement = broadcast(false);
    statement.tag = "TRUNCATE TABLE";
    statement.reason = "every shard empties its part";
    if (spread == 0 && (!cascades || temporary > 0)) {
        statement = route_home(Command::kDdl);
        statement.tag = "TRUNCATE TABLE";
        return statement;
    }
    if (temporary > 0) refuse("cannot truncate temporary and permanent tables in one statement", {}, "Truncate them in two statements.");
    return statement;
}

// ---- what a shard must not do alone

[[noreturn]] void refuse_tablespace() {
    refuse("tablespaces are not supported", "A tablespace is a directory of one server.", "Place the data directories instead.");
}

Statement create_database(Command command, const std::string& name) {
    Statement statement = broadcast(false);
    statement.command = command;
    statement.name = name;
    statement.needs_no_transaction = true;
    statement.tag = command == Command::kCreateDatabase ? "CREATE DATABASE" : "DROP DATABASE";
    statement.reason = "databases exist on all shards";
    return statement;
}

Statement rename_database(const std::string& name) {
    Statement statement = broadcast(false);
    statement.name = name;
    statement.tag = "ALTER DATABASE";
    statement.reason = "databases exist on all shards";
    return statement;
}

// True if all of these are the home shard's: other shards have empty tables of their names at most.
template <class Relations>
bool all_local(const Relations& relations, const PlanContext& context) {
    for (const pg_query::RangeVar* relation : relations) {
        const Table* table = context.find_table(*relation);
        if (table && table->placement != Placement::kLocal) return false;
    }
    return !relations.empty();
}

// Looks after tables of the home shard: PostgreSQL says whether it may run within a transaction.
Statement maintenance_at_home() {
    Statement statement = route_home(Command::kMaintenance);
    statement.reason = "only tables of the home shard";
    return statement;
}

Statement maintenance(bool no_transaction) {
    Statement statement = broadcast(false);
    statement.command = Command::kMaintenance;
    statement.needs_no_transaction = no_transaction;
    statement.reason = "every shard looks after its own part";
    return statement;
}

Statement vacuum(const pg_query::VacuumStmt& vacuum, PlanContext& context) {
    std::vector<const pg_query::RangeVar*> relations;
    for (const pg_query::Node& relation : vacuum.rels()) relations.push_back(&relation.vacuum_relation().relation());
    if (all_local(relations, context)) return maintenance_at_home();
    Statement statement = maintenance(vacuum.is_vacuumcmd());
    if (vacuum.is_vacuumcmd()) statement.tag = "VACUUM";
    return statement;
}

Statement cluster(const pg_query::ClusterStmt& cluster, PlanContext& context) {
    if (cluster.has_relation() && all_local(std::vector{&cluster.relation()}, context)) return maintenance_at_home();
    return maintenance(!cluster.has_relation());
}

// A home shard's REFRESH would see its own part of sharded tables.
void check_refreshed(const pg_query::RefreshMatViewStmt& refresh, PlanContext& context) {
    const Table* view = context.find_table(refresh.relation());
    if (!view || view->kind != 'm' || refresh.skip_data()) return;
    ParsedTree tree;
    parse(view->view_definition, tree);
    const bool read = tree.result && tree.result->stmts_size() == 1;
    if (read && !analyze(tree.result->stmts(0).stmt(), context)->touches_sharded) return;
    if (!read && !has_spread_tables(context.catalog)) return;
    refuse("cannot refresh a materialized view over sharded tables", "Each shard would keep the rows of its own part only.",
           "Use a view, or a table filled by CREATE TABLE AS.");
}

Statement reindex(const pg_query::ReindexStmt& reindex, PlanContext& context) {
    const bool table = reindex.kind() == pg_query::REINDEX_OBJECT_TABLE;
    // An index is not in the snapshot: whose it is cannot be seen.
    const bool anywhere = table || !has_spread_tables(context.catalog);
    if (reindex.has_relation() && anywhere && all_local(std::vector{&reindex.relation()}, context)) return maintenance_at_home();
    if (reindex.name().starts_with("pg_temp")) return maintenance_at_home();
    const bool many = reindex.kind() == pg_query::REINDEX_OBJECT_SCHEMA || reindex.kind() == pg_query::REINDEX_OBJECT_SYSTEM ||
                      reindex.kind() == pg_query::REINDEX_OBJECT_DATABASE;
    Statement statement = maintenance(many || is_on(reindex.params(), "concurrently"));
    const char* const what = reindex.kind() == pg_query::REINDEX_OBJECT_SCHEMA   ? "REINDEX SCHEMA"
                             : reindex.kind() == pg_query::REINDEX_OBJECT_SYSTEM ? "REINDEX SYSTEM"
                                                                                 : "REINDEX DATABASE";
    if (statement.needs_no_transaction) statement.tag = many ? what : "REINDEX CONCURRENTLY";
    return statement;
}

/// A default that nobody sees would have commits acknowledged that one server alone has (PROTOCOLS 3.13).
void check_kept_setting(const pg_query::VariableSetStmt& setting) {
    if (setting.name() != "synchronous_commit" || setting.args_size() != 1 || !setting.args(0).has_a_const()) return;
    const pg_query::A_Const& value = setting.args(0).a_const();
    const std::string& word = value.has_sval() ? value.sval().sval() : value.has_boolval() && value.boolval().boolval() ? "on" : "off";
    if (word == "on" || word == "remote_apply" || word == "true" || word == "1" || word == "yes") return;
    refuse("synchronous_commit below \"on\" cannot be a default of a role or database",
           "Commits acknowledged on one server only are lost when that server is.", "SET it in the sessions that can do without them.");
}

void check_policy(const pg_query::RangeVar& relation, const google::protobuf::Message& body, PlanContext& context) {
    const Table* table = context.find_table(relation);
    if (!table || table->placement == Placement::kLocal) return;
    walk(body, [&](const google::protobuf::Message& each) {
        if (!as<pg_query::SubLink>(each)) return true;
        refuse("cannot use a sub-query in a policy on \"" + table->name + "\"",
               "The policy is checked on each shard, where the sub-query would see that shard's rows only.",
               "Compare columns of the row with current_setting() or current_user.");
    });
}

Statement rule(const pg_query::RuleStmt& rule, PlanContext& context) {
    const Table* table = context.find_table(rule.relation());
    if (table && table->placement != Placement::kLocal) {
        refuse("cannot create a rule on \"" + table->name + "\"", "A rule makes other statements of one, unseen by the planner.",
               "Use a trigger or write the statements out.");
    }
    return broadcast();
}

Statement alter_table(const pg_query::AlterTableStmt& alter, PlanContext& context) {
    if (is_temporary(alter.relation(), context)) return temporary_statement();
    check_alter_table(alter, context);
    Statement statement = broadcast();
    for (const pg_query::Node& command : alter.cmds()) {
        if (command.alter_table_cmd().subtype() == pg_query::AT_SetTableSpace && has_spread_tables(context.catalog)) refuse_tablespace();
        const bool concurrently = command.alter_table_cmd().subtype() == pg_query::AT_DetachPartition &&
                                  command.alter_table_cmd().def().partition_cmd().concurrent();
        statement.needs_no_transaction |= concurrently;
        if (concurrently) statement.tag = "ALTER TABLE ... DETACH CONCURRENTLY";
    }
    return statement;
}

Statement index(const pg_query::IndexStmt& index, PlanContext& context) {
    if (is_temporary(index.relation(), context)) return temporary_statement();
    check_index(index, context);
    Statement statement = broadcast();
    statement.needs_no_transaction = index.concurrent();
    if (index.concurrent()) statement.tag = "CREATE INDEX CONCURRENTLY";
    return statement;
}

Statement without_catalog_change() { return broadcast(false); }

}  // namespace

namespace {

Statement plan_definition(const pg_query::Node& node, PlanContext& context) {
    using N = pg_query::Node;
    switch (node.node_case()) {
        case N::kCreateStmt: return create_table(node.create_stmt(), context);
        case N::kCreateTableAsStmt: return plan_create_as(node, context);
        case N::kSelectStmt: return select_into(node.select_stmt(), context);
        case N::kDropStmt: return drop(node.drop_stmt(), context);
        case N::kTruncateStmt: return truncate(node.truncate_stmt(), context);
        case N::kAlterTableStmt: return alter_table(node.alter_table_stmt(), context);
        case N::kIndexStmt: return index(node.index_stmt(), context);
        case N::kRuleStmt: return rule(node.rule_stmt(), context);
        case N::kCreatePolicyStmt: check_policy(node.create_policy_stmt().table(), node.create_policy_stmt(), context); return broadcast();
        case N::kAlterPolicyStmt: check_policy(node.alter_policy_stmt().table(), node.alter_policy_stmt(), context); return broadcast();
        case N::kCreatedbStmt: return create_database(Command::kCreateDatabase, node.createdb_stmt().dbname());
        case N::kDropdbStmt: {
            Statement statement = create_database(Command::kDropDatabase, node.dropdb_stmt().dbname());
            statement.force = is_on(node.dropdb_stmt().options(), "force");
            return statement;
        }
        case N::kRenameStmt:
            if (node.rename_stmt().rename_type() != pg_query::OBJECT_DATABASE) break;
            return rename_database(node.rename_stmt().subname());
        case N::kVacuumStmt: return vacuum(node.vacuum_stmt(), context);
        case N::kReindexStmt: return reindex(node.reindex_stmt(), context);
        case N::kClusterStmt: return cluster(node.cluster_stmt(), context);
        case N::kRefreshMatViewStmt: {
            check_refreshed(node.refresh_mat_view_stmt(), context);
            // Its rows are the home shard's.
            Statement statement = route_home(Command::kDdl);
            statement.tag = "REFRESH MATERIALIZED VIEW";
            return statement;
        }
        case N::kCheckPointStmt: {
            Statement statement = maintenance(false);
            statement.command = Command::kCheckpoint;
            statement.tag = "CHECKPOINT";
            return statement;
        }
        case N::kAlterSystemStmt:
            refuse("cannot use ALTER SYSTEM", "The servers' settings belong to the cluster's configuration.",
                   "Use ALTER DATABASE or ALTER ROLE … SET.");
        case N::kCreateTableSpaceStmt:
            // One within the data directory is the only kind that a standby can have, too.
            if (has_spread_tables(context.catalog) || !node.create_table_space_stmt().location().empty()) refuse_tablespace();
            return route_home(Command::kDdl);
        case N::kDropTableSpaceStmt:
        case N::kAlterTableSpaceOptionsStmt:
        case N::kAlterTableMoveAllStmt:
            if (has_spread_tables(context.catalog)) refuse_tablespace();
            return route_home(Command::kDdl);
        case N::kCreateSubscriptionStmt:
        case N::kAlterSubscriptionStmt:
        case N::kDropSubscriptionStmt:
            if (!has_spread_tables(context.catalog)) return route_home(Command::kDdl);
            refuse("subscriptions are not supported", "Every shard would receive every row.", "Write through the endpoint.");
        case N::kLoadStmt: {
            Statement statement = route_home(Command::kOther);
            statement.pins = true;
            statement.tag = "LOAD";
            return statement;
        }
        case N::kAlterRoleSetStmt: check_kept_setting(node.alter_role_set_stmt().setstmt()); return without_catalog_change();
        case N::kAlterDatabaseSetStmt: check_kept_setting(node.alter_database_set_stmt().setstmt()); return without_catalog_change();
        case N::kGrantStmt:
        case N::kGrantRoleStmt:
        case N::kAlterDefaultPrivilegesStmt:
        case N::kCreateRoleStmt:
        case N::kAlterRoleStmt:
        case N::kDropRoleStmt:
        case N::kAlterDatabaseStmt:
        case N::kCommentStmt:
        case N::kSecLabelStmt:
        case N::kConstraintsSetStmt: return without_catalog_change();
        default: break;
    }
    if (touches_temporary(node, context)) return temporary_statement();
    Statement statement = broadcast();
    // A value added to an enumeration is not usable in the transaction that adds it, but may be added in one since PostgreSQL 12.
    return statement;
}

bool of_large_object(const pg_query::Node& node) {
    return node.comment_stmt().objtype() == pg_query::OBJECT_LARGEOBJECT || node.grant_stmt().objtype() == pg_query::OBJECT_LARGEOBJECT ||
           node.alter_owner_stmt().object_type() == pg_query::OBJECT_LARGEOBJECT || node.sec_label_stmt().objtype() == pg_query::OBJECT_LARGEOBJECT;
}

// Any word of the statement may be a table's name.
bool names_spread_table(const pg_query::Node& node, const PlanContext& context) {
    if (!has_spread_tables(context.catalog)) return false;
    const auto spread = [&](std::string name) {
        std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
        for (const Table* table : context.catalog.tables_called(name)) {
            if (table->placement != Placement::kLocal) return true;
        }
        return false;
    };
    bool found = false;
    walk(node, [&](const google::protobuf::Message& each) {
        if (const auto* word = as<pg_query::String>(each)) found |= spread(word->sval());
        if (const auto* relation = as<pg_query::RangeVar>(each)) found |= spread(relation->relname());
        return !found;
    });
    return found;
}

}  // namespace

Statement plan_ddl(const pg_query::Node& node, StatementText text, PlanContext& context) {
    if (of_large_object(node)) return route_home(Command::kDdl);  // large objects are the home shard's
    Statement statement = plan_definition(node, context);
    if (statement.plan == PlanKind::kBroadcast && statement.command == Command::kDdl && !statement.then) {
        PlanDetails details = details_of(statement);
        details.elsewhere_optional = !names_spread_table(node, context);
        details.changes_defaults = node.has_alter_role_set_stmt() || node.has_alter_role_stmt() || node.has_alter_database_set_stmt() ||
                                   node.has_alter_database_stmt();
        note_role_password(node, text, details);
        set_details(statement, std::move(details));
    }
    return statement;
}

}  // namespace pgmosaic::planner

#include <boost/json.hpp>

#include "coordinator/admin/distribute.h"
#include "coordinator/admin/placement_gate.h"
#include "planner/planner.h"
#include "shardmap/key_types.h"

namespace pgmosaic::coordinator {

namespace {

/// What pg_mosaic.function_facts() says.
struct FunctionFacts {
    std::string signature;  ///< as regprocedure reads it, with schema
    char kind = 'f';        ///< pg_proc.prokind
    bool system = false;    ///< PostgreSQL's own, or an extension's
    int argument = 0;       ///< from 1; 0: there is none of that name
    Oid type = 0;
    std::string type_name;
};

Task<FunctionFacts> function_facts(Session& session, std::string name, std::string argument) {
    const std::string sql = "SELECT pg_mosaic.function_facts(" + planner::quote_literal(name) + "::pg_catalog.regprocedure, " +
                            planner::quote_literal(argument) + ")";
    const auto answer = co_await session.query_shard(session.home(), sql, true);
    const boost::json::object from = boost::json::parse(answer.scalar()).as_object();
    FunctionFacts facts{.signature = std::string(from.at("signature").as_string()),
                        .kind = from.at("kind").as_string().at(0),
                        .system = from.at("system").as_bool() || from.at("extension").as_bool()};
    if (from.at("argument").is_null()) co_return facts;
    facts.argument = from.at("argument").to_number<int>();
    facts.type = static_cast<Oid>(from.at("type").to_number<std::int64_t>());
    facts.type_name = std::string(from.at("type_name").as_string());
    co_return facts;
}

void check_kind(const FunctionFacts& function) {
    if (function.kind != 'f' && function.kind != 'p') {
        throw PgError(refusal("cannot distribute " + function.signature, "It is an aggregate or a window function.",
                              "Only functions and procedures are called on a shard."));
    }
    if (function.system) {
        throw PgError(refusal("cannot distribute " + function.signature, "It belongs to PostgreSQL or to an extension.",
                              "Write a function that calls it."));
    }
}

/// The group of the tables whose keys the argument's values are.
Task<GroupId> group_of_tables(Session& session, const FunctionFacts& function, std::string colocate_with) {
    const auto family = shardmap::key_family(function.type);
    if (!family) {
        throw PgError(refusal("cannot distribute " + function.signature + " by an argument of type " + function.type_name,
                              "No table is sharded by a key of that type.", "Choose the argument that is a table's shard key."));
    }
    if (colocate_with != "default") {
        const TableFacts table = co_await facts_of(session, session.home(), colocate_with);
        const ColumnFacts* key = table.placed.as == Placed::As::kSharded ? table.find_column(table.placed.key) : nullptr;
        if (key != nullptr && shardmap::key_family(key->type) == family) co_return table.placed.group;
        throw PgError(refusal("cannot colocate " + function.signature + " with table \"" + table.name + "\"",
                              key == nullptr ? "The table is not sharded."
                                             : "Its shard key is of type " + key->type_name + ", the argument of type " + function.type_name + "."));
    }
    const shardmap::MapPointer map = session.core().cluster().map();
    const shardmap::Group* group = map->find_group(session.database(), *family);
    if (group == nullptr) {
        throw PgError(refusal("cannot distribute " + function.signature, "No table is sharded by a key of type " + function.type_name + ".",
                              "Distribute the tables that it uses first."));
    }
    co_return group->id;
}

/// Any group will do for a call that runs on all shards; it takes the first one of the database.
GroupId any_group(Session& session, const FunctionFacts& function) {
    const shardmap::MapPointer map = session.core().cluster().map();
    for (const shardmap::Group& group : map->groups()) {
        if (group.database == session.database()) return group.id;
    }
    throw PgError(refusal("cannot run " + function.signature + " on all shards", "No table is sharded.", "Distribute a table first."));
}

Task<> register_function(Session& session, std::string arguments) {
    const std::string sql = "SELECT pg_mosaic.set_function(" + arguments + ")";
    for (ShardId shard : session.core().cluster().map()->shard_ids()) co_await session.query_shard(shard, sql, true);
}

}  // namespace

Task<> create_distributed_function(Session& session, const Arguments& arguments) {
    const std::string name = arguments.at(0);
    const std::string argument = arguments[1].value_or("");
    const std::string colocate_with = arguments[2].value_or("default");
    const bool own = session.ensure_transaction();
    co_await begin_change(session);
    const FunctionFacts function = co_await function_facts(session, name, argument);
    check_kind(function);
    std::string row = planner::quote_literal(function.signature) + "::pg_catalog.regprocedure";
    if (argument.empty()) {
        row += ", 'n', NULL, NULL, NULL";
    } else if (argument == "*") {
        row += ", 'a', NULL, NULL, " + std::to_string(any_group(session, function).value);
    } else {
        if (function.argument == 0) {
            throw PgError(Error{.code = sqlstate::kInvalidObjectDefinition,
                                .message = "function " + function.signature + " has no argument \"" + argument + "\"",
                                .hint = "Name an input argument, or write $1 for the first one, or * to call it on every shard."});
        }
        const GroupId group = co_await group_of_tables(session, function, colocate_with);
        row += ", 'k', " + std::to_string(function.argument) + "::int2, " + std::to_string(function.type) + ", " + std::to_string(group.value);
    }
    co_await register_function(session, row);
    session.schema_changed();
    session.transaction().placement_changed = true;
    session.transaction().placement_of_old_table_changed = true;
    if (!own) co_return;
    co_await hold_gate(session);
    co_await session.commit();
}

}  // namespace pgmosaic::coordinator

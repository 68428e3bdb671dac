#include "coordinator/admin/distribute.h"

#include <algorithm>

#include "coordinator/admin/placement_gate.h"
#include "coordinator/admin/spread.h"
#include "coordinator/admin/table_checks.h"

namespace pgmosaic::coordinator {

namespace {

/// Only one transaction changes places at a time: what is checked of other tables then stays true. Its number is ours alone.
constexpr const char* kOneAtATime = "SELECT pg_catalog.pg_advisory_xact_lock(7002, 1)";
constexpr int kLockWaitMilliseconds = 10000;

/// The client's own lock_timeout holds if it is shorter. Returns what it was.
Task<std::string> bound_lock_waits(Session& session, ShardId shard) {
    const std::string bound = std::to_string(kLockWaitMilliseconds);
    const auto old = co_await session.query_shard(
        shard,
        "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'lock_timeout'", true);
    const std::string before = old.scalar();
    if (before == "0" || before.size() > bound.size() || (before.size() == bound.size() && before > bound)) {
        co_await session.query_shard(shard, "SELECT pg_catalog.set_config('lock_timeout', '" + bound + "', true)", true);
    }
    co_return before;
}

/// Home first, as every writer does, so that two who want all copies never wait for each other.
Task<> lock_everywhere(Session& session, const TableFacts& table) {
    std::vector<ShardId> shards = session.core().cluster().map()->shard_ids();
    std::stable_partition(shards.begin(), shards.end(), [&](ShardId shard) { return shard == session.home(); });
    for (ShardId shard : shards) {
        const std::string before = co_await bound_lock_waits(session, shard);
        co_await session.query_shard(shard, "LOCK TABLE " + table.qualified() + " IN ACCESS EXCLUSIVE MODE", true);
        co_await session.query_shard(shard, "SELECT pg_catalog.set_config('lock_timeout', '" + before + "', true)", true);
    }
}

Error differs(const Session& session, const TableFacts& table, ShardId shard, const std::string& column) {
    return Error{.code = sqlstate::kInvalidTableDefinition,
                 .message = "table \"" + table.name + "\" is not the same on shard \"" + session.shard_name(shard) + "\"",
                 .detail = "Column \"" + column + "\" differs.",
                 .hint = "Make the definitions equal on all shards first."};
}

/// DDL goes to all shards, so this finds only what somebody did past the endpoint.
Task<> check_same_everywhere(Session& session, const TableFacts& table) {
    for (ShardId shard : session.core().cluster().map()->shard_ids()) {
        if (shard == session.home()) continue;
        const TableFacts there = co_await facts_of(session, shard, table.qualified());
        for (const ColumnFacts& column : table.columns) {
            const ColumnFacts* twin = there.find_column(column.name);
            if (twin == nullptr || twin->type_name != column.type_name || twin->generated != column.generated) {
                throw PgError(differs(session, table, shard, column.name));
            }
        }
        if (there.columns.size() != table.columns.size()) throw PgError(differs(session, table, shard, there.columns.back().name));
    }
}

Task<> register_everywhere(Session& session, const TableFacts& table, char placement, std::string column, GroupId group) {
    const std::string key = placement == 's' ? planner::quote_literal(column) : "NULL";
    const std::string number = placement == 's' ? std::to_string(group.value) : "NULL";
    const std::string sql = "SELECT pg_mosaic.set_placement(" + planner::quote_literal(table.qualified()) + "::pg_catalog.regclass, '" +
                            placement + "', " + key + ", " + number + ")";
    for (ShardId shard : session.core().cluster().map()->shard_ids()) co_await session.query_shard(shard, sql, true);
}

/// The change is part of the session's transaction; it is committed here if that was made for it.
Task<> finish_change(Session& session, const TableFacts& table, bool own) {
    session.schema_changed();
    session.transaction().placement_changed = true;
    if (!table.created_here) session.transaction().placement_of_old_table_changed = true;
    if (!own) co_return;
    co_await hold_gate(session);
    co_await session.commit();
}

/// Begins, and reads what the table is before anything is locked.
Task<TableFacts> begin(Session& session, std::string table_name) {
    co_await begin_change(session);
    co_return co_await facts_of(session, session.home(), std::move(table_name));
}

void throw_if(std::optional<Error> error) {
    if (error) throw PgError(std::move(*error));
}

shardmap::MapPointer newest_map(Session& session) { return session.core().cluster().map(); }

/// The group that the caller asked for; nullopt: a new one.
Task<std::optional<GroupId>> wanted_group(Session& session, const TableFacts& table, std::string column, std::string colocate_with) {
    const ColumnFacts* key = table.find_column(column);
    const auto family = key == nullptr ? std::nullopt : shardmap::key_family(key->type);
    if (!family) co_return std::nullopt;  // why_not_sharded() says so
    if (colocate_with == "none") co_return std::nullopt;
    if (colocate_with == "default") {
        const shardmap::Group* group = newest_map(session)->find_group(session.database(), *family);
        if (group == nullptr) co_return std::nullopt;
        co_return group->id;
    }
    const TableFacts other = co_await facts_of(session, session.home(), colocate_with);
    if (other.placed.as != Placed::As::kSharded) {
        throw PgError(refusal("cannot colocate with table \"" + other.name + "\"", "It is not sharded.",
                              "Distribute it first, or use colocate_with => 'default'."));
    }
    const ColumnFacts* other_key = other.find_column(other.placed.key);
    if (other_key == nullptr || shardmap::key_family(other_key->type) != family) {
        throw PgError(refusal("cannot colocate tables \"" + table.name + "\" and \"" + other.name + "\"",
                              "Their shard keys are of different types: " + key->type_name + " and " +
                                  (other_key == nullptr ? "none" : other_key->type_name) + ".",
                              "Use keys of the same type."));
    }
    co_return other.placed.group;
}

GroupId make_group(Session& session, const TableFacts& table, Oid key_type) {
    Cluster& cluster = session.core().cluster();
    if (!cluster.make_group) throw PgError(refusal("this endpoint cannot change the shard map"));
    auto group = cluster.make_group(session.database(), table.name, key_type);
    if (!group) throw PgError(group.error());
    return *group;
}

}  // namespace

Task<> begin_change(Session& session) {
    // This statement is bound to nothing of the catalog; another one's change of places need not wait for it.
    leave_gate(session);
    co_await session.query_shard(session.home(), kOneAtATime, true);
}

Task<TableFacts> facts_of(Session& session, ShardId shard, std::string table_name) {
    const auto document = co_await session.query_shard(
        shard, "SELECT pg_mosaic.table_facts(" + planner::quote_literal(table_name) + "::pg_catalog.regclass)", true);
    auto facts = table_facts_from_json(document.scalar());
    if (!facts) throw PgError(facts.error());
    co_return std::move(*facts);
}

Task<> create_distributed_table(Session& session, const Arguments& arguments) {
    const std::string column = arguments.at(1);
    const std::string colocate_with = arguments[2].value_or("default");
    const bool own = session.ensure_transaction();
    TableFacts table = co_await begin(session, arguments.at(0));
    auto group = co_await wanted_group(session, table, column, colocate_with);
    throw_if(why_not_sharded(table, column, group));
    co_await lock_everywhere(session, table);
    table = co_await facts_of(session, session.home(), table.qualified());
    throw_if(why_not_sharded(table, column, group));
    co_await check_same_everywhere(session, table);

    if (!group) group = make_group(session, table, table.find_column(column)->type);
    const shardmap::MapPointer map = newest_map(session);
    const shardmap::Ownership* owners = map->owners(*group);
    if (owners == nullptr) throw PgError(Error{.message = "the table's new group is not in the shard map"});
    co_await register_everywhere(session, table, 's', column, *group);
    if (table.has_rows) co_await spread_rows(session, table, column, *owners);
    co_await finish_change(session, table, own);
}

Task<> create_reference_table(Session& session, const Arguments& arguments) {
    const bool own = session.ensure_transaction();
    TableFacts table = co_await begin(session, arguments.at(0));
    throw_if(why_not_reference(table));
    co_await lock_everywhere(session, table);
    table = co_await facts_of(session, session.home(), table.qualified());
    throw_if(why_not_reference(table));
    co_await check_same_everywhere(session, table);
    co_await register_everywhere(session, table, 'r', {}, {});
    if (table.has_rows) co_await copy_to_all(session, table);
    co_await finish_change(session, table, own);
}

Task<> undistribute_table(Session& session, const Arguments& arguments) {
    const bool own = session.ensure_transaction();
    TableFacts table = co_await begin(session, arguments.at(0));
    throw_if(why_not_local(table));
    co_await lock_everywhere(session, table);
    table = co_await facts_of(session, session.home(), table.qualified());
    throw_if(why_not_local(table));
    if (table.placed.as == Placed::As::kSharded) {
        co_await gather_rows(session, table);
    } else {
        co_await delete_copies(session, table);
    }
    co_await register_everywhere(session, table, 'l', {}, {});
    co_await finish_change(session, table, own);
}

}  // namespace pgmosaic::coordinator

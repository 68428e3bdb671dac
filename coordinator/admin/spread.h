#pragma once

#include <string>

#include "coordinator/admin/table_facts.h"
#include "coordinator/session.h"
#include "shardmap/ownership.h"

/// Moves the rows of one table between shards, in the session's transaction, while it holds ACCESS EXCLUSIVE on the table
/// everywhere. User triggers are off meanwhile: no row is written that was not there before.
namespace pgmosaic::coordinator {

/// `hash_record_extended(ROW(column), seed) & 65535`
std::string bucket_sql(std::string_view column);
/// True for rows whose bucket the shard owns, as a condition in SQL.
std::string owned_sql(const shardmap::Ownership& owners, ShardId shard, std::string_view column);

/// From home to the owners of the rows' buckets.
Task<> spread_rows(Session& session, const TableFacts& table, std::string column, const shardmap::Ownership& owners);
/// From home to every other shard, whole.
Task<> copy_to_all(Session& session, const TableFacts& table);
/// From all other shards to home.
Task<> gather_rows(Session& session, const TableFacts& table);
/// The copies of a reference table on all shards but home.
Task<> delete_copies(Session& session, const TableFacts& table);

}  // namespace pgmosaic::coordinator

#pragma once

#include <string>

#include "planner/internal/analysis.h"

namespace pgmosaic::planner {

/// Proves that the rows that FROM and WHERE of the statement give are the rows that they give on each shard, put together:
/// every row comes about on one shard, whole.
///
/// Sharded tables of one group are tied by equality of their keys; reference tables stand where no shard's lack of a match
/// can make a row; sub-queries with sharded tables keep rows of one key together. Returns why this is not proved; empty if it is.
/// Says nothing about what the statement does with those rows (GROUP BY, DISTINCT, ORDER BY, LIMIT, window functions).
std::string why_not_on_each_shard(const QueryAnalysis& analysis);

/// True if the column is the shard key of a sharded table, or proved equal to one, so that rows with equal values of it are on
/// one shard. Asked for columns of the statement's own level.
bool is_key(const QueryAnalysis& analysis, ColumnNode node);

}  // namespace pgmosaic::planner

#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/settings.h"
#include "shardmap/shard_map.h"

namespace pgmosaic::cli {

/// Asks every server that the file names: does it answer, is it PostgreSQL 15, is the first of a shard its primary, the
/// second a standby of it? What is wrong, one line each.
std::vector<std::string> server_faults(const Config& config);

/// The first map of a store, from `shards`. A standby is recorded as not yet waited for: failover names it and proves
/// it. Errors: F0000 no shards in the file, or the first fault of a server
Result<shardmap::MapPointer> bootstrap_map(const Config& config);

}  // namespace pgmosaic::cli

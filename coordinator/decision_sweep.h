#pragma once

#include <set>
#include <string>
#include <vector>

#include "coordinator/core.h"

namespace pgmosaic::coordinator {

/// Deletes the decisions that nobody will ask for again: what a coordinator left behind that died before it could.
///
/// A *yes* may go when no shard lists its transaction as prepared; a *no* also not before every transaction on the decision shard
/// that is older than it has ended, for such a one may belong to a coordinator that only sleeps, and would say yes when it wakes
/// (PROTOCOLS 1.6).
///
/// Errors    throws if a shard cannot be asked: then nothing is deleted
Task<> sweep_decisions(Core& core);

/// The gids that are prepared on any shard, now and after a failover: of whoever is not named, the end has been replicated
/// (PROTOCOLS 1.1). A decision may go only if its gid is not among them.
/// Errors    throws if a shard cannot be asked, or its standby does not acknowledge
Task<std::set<std::string>> prepared_anywhere(Core& core);

std::string delete_decisions_sql(const std::vector<std::string>& gids);

}  // namespace pgmosaic::coordinator

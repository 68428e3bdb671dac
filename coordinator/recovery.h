#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core.h"
#include "coordinator/decision.h"

namespace pgmosaic::coordinator {

/// COMMIT PREPARED or ROLLBACK PREPARED on the shards, side by side, on pgmosaic's own sessions. Returns when all have
/// acknowledged, their standbys included. False: a shard could not be reached for as long as a client would wait; it is left to
/// recovery, which needs the decision.
Task<bool> finish_prepared(Core& core, std::vector<ShardId> shards, std::string gid, std::string database, bool commit);

/// Asks the decision shard, after a failover if need be, and writes a *no* if there is no verdict yet. kUnknown: nobody
/// answered within the waiting time.
Task<Verdict> settle_decision(Core& core, std::string gid, std::string database);

/// Deletes a *yes* that every participant has carried out; some time later, with others.
void forget_decision(Core& core, ShardId shard, const std::string& gid, const std::string& database);

/// Finishes what dead coordinators (or a dead incarnation of this one) have left prepared, and deletes decisions that
/// nobody needs. Runs every second on one core.
///
/// Core      the one that it was given
/// Cancel    ends between two statements
class Recovery {
   public:
    explicit Recovery(Core& core) : core_(core) {}
    Task<> run();
    /// One pass over all shards. True if every shard could be asked and nothing is left in doubt.
    Task<bool> pass();

   private:
    using Doubts = std::map<std::shared_ptr<Database>, std::set<std::string>>;
    Task<bool> finish_shard(ShardId shard);
    static void forget_doubts(ShardId shard, const Doubts& before, const std::set<std::string>& listed);
    Task<> finish(ShardId shard, std::string gid, std::string database);
    Task<> delete_forgotten();
    Task<> sweep();
    Core& core_;
    Deadline next_sweep_ = Deadline::after(Clock::duration::zero());
};

}  // namespace pgmosaic::coordinator

#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "coordinator/core.h"
#include "coordinator/deadlock/wait_graph.h"

namespace pgmosaic::coordinator::deadlock {

/// Finds deadlocks over several servers and breaks them with 40P01 for the youngest (PROTOCOLS 1.12). The servers are asked only
/// while a transaction of several shards has waited for a second; a circle counts when they have said it twice.
///
/// Core      the one that it was given; looks at the others' sessions by messages
/// Cancel    ends between two steps
class Detector {
   public:
    explicit Detector(Core& core) : core_(core) {}
    Task<> run();

   private:
    Task<> look();
    Task<std::vector<Suspect>> suspects();
    Task<std::vector<Wait>> waits(const std::vector<Suspect>& suspects);
    Task<std::vector<Wait>> waits_on(ShardId shard, const std::map<std::pair<ShardId, int>, Party>& parties,
                                     const std::map<std::string, Party>& gids);
    Task<> break_up(const Deadlock& deadlock, const std::vector<Suspect>& suspects);
    std::string describe(const Deadlock& deadlock) const;

    Core& core_;
};

}  // namespace pgmosaic::coordinator::deadlock

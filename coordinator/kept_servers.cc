#include "coordinator/session.h"

/// pool.mode session: a client keeps each server session that it has used until it goes.
namespace pgmosaic::coordinator {

namespace {

constexpr Clock::duration kResetTime = 5s;

}  // namespace

/// Outside of a transaction a lost one is replaced: unlike a pinned one it holds nothing that cannot be made again.
Task<> Session::keep(ShardId shard) {
    const auto found = pinned_.find(shard);
    if (found != pinned_.end()) {
        const bool lost = kept_.contains(shard) && found->second->broken && !transaction_.open();
        if (!lost) co_return;
        found->second.discard();
        pinned_.erase(found);
    }
    co_await pin(shard);
    kept_.insert(shard);
}

/// The client has gone: what it kept serves the next one, as new.
Task<> Session::give_back_kept() {
    for (auto& [shard, lease] : pinned_) {
        if (!kept_.contains(shard) || !lease || lease->broken || lease->dirty) continue;
        const auto result = co_await backend::run_query(*lease, "DISCARD ALL", Deadline::after(kResetTime));
        if (!result) continue;
        lease->settings = core_.settings().empty();
        lease->prepared.clear();
        lease->unnamed_statement = 0;
        lease->owner = 0;
        lease->ran_user_code = false;
        lease.release();
    }
}

}  // namespace pgmosaic::coordinator

#include "coordinator/deadlock/wait_graph.h"

#include <algorithm>
#include <optional>
#include <set>

namespace pgmosaic::coordinator::deadlock {

namespace {

using Waits = std::vector<Wait>;

/// Looks for a circle from one party on, depth first; `done` are parties that lead to none.
class Search {
   public:
    explicit Search(const Waits& waits) {
        for (const Wait& wait : waits) from_[wait.waiter].push_back(&wait);
    }

    std::optional<Waits> circle() {
        for (const auto& [party, waits] : from_) {
            if (visit(party)) return circle_;
        }
        return std::nullopt;
    }

   private:
    bool visit(Party party) {
        if (done_.contains(party)) return false;
        const auto begin = std::find_if(path_.begin(), path_.end(), [party](const Wait* wait) { return wait->waiter == party; });
        if (begin != path_.end()) {
            for (auto wait = begin; wait != path_.end(); ++wait) circle_.push_back(**wait);
            return true;
        }
        const auto found = from_.find(party);
        if (found != from_.end()) {
            for (const Wait* wait : found->second) {
                path_.push_back(wait);
                if (visit(wait->holder)) return true;
                path_.pop_back();
            }
        }
        done_.insert(party);
        return false;
    }

    std::map<Party, std::vector<const Wait*>> from_;
    std::set<Party> done_;
    std::vector<const Wait*> path_;
    Waits circle_;
};

bool on_one_shard(const Waits& circle) {
    return std::all_of(circle.begin(), circle.end(), [&](const Wait& wait) { return wait.shard == circle.front().shard; });
}

std::optional<Party> youngest(const Waits& circle, const std::map<Party, Clock::time_point>& begun) {
    std::optional<Party> found;
    Clock::time_point at{};
    for (const Wait& wait : circle) {
        const auto known = begun.find(wait.waiter);
        if (known == begun.end() || (found && known->second <= at)) continue;
        found = wait.waiter;
        at = known->second;
    }
    return found;
}

}  // namespace

std::vector<Deadlock> find_deadlocks(Waits waits, const std::map<Party, Clock::time_point>& begun) {
    std::vector<Deadlock> found;
    while (auto circle = Search(waits).circle()) {
        const auto victim = youngest(*circle, begun);
        if (on_one_shard(*circle) || !victim) {
            // Not ours to break; other circles may be behind it.
            std::erase(waits, circle->front());
            continue;
        }
        std::erase_if(waits, [&](const Wait& wait) { return wait.waiter == *victim; });
        found.push_back({.circle = std::move(*circle), .victim = *victim});
    }
    return found;
}

}  // namespace pgmosaic::coordinator::deadlock

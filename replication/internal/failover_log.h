#pragma once

#include <string>
#include <vector>

#include "base/deadline.h"
#include "shardmap/shard.h"

namespace pgmosaic::replication {

/// What happened when during one failover; becomes its event.
class FailoverLog {
   public:
    /// `last_seen`: the old primary's last answer.
    void begin(const shardmap::Shard& before, std::string cause, Clock::time_point last_seen);
    /// The end of a phase: its length is the time since the one before. Does nothing if no failover was begun here.
    void mark(std::string phase);
    /// The event's JSON; the log is empty afterwards.
    std::string finish(const shardmap::Shard& after);
    bool running() const { return running_; }

   private:
    struct Phase {
        std::string name;
        Clock::time_point end;
    };
    bool running_ = false;
    std::string from_;
    std::string cause_;
    Clock::time_point last_seen_{};
    std::vector<Phase> phases_;
};

/// The body of an event about one node: `{"shard", "node", "detail"}`.
std::string node_event(const shardmap::Shard& shard, const shardmap::Node& node, std::string_view detail);

}  // namespace pgmosaic::replication

#include "replication/internal/failover_log.h"

#include <boost/json.hpp>
#include <cmath>

#include "base/json_text.h"

namespace pgmosaic::replication {

namespace {

double milliseconds(Clock::duration length) {
    return std::round(std::chrono::duration<double, std::milli>(length).count() * 10) / 10;
}

}  // namespace

void FailoverLog::begin(const shardmap::Shard& before, std::string cause, Clock::time_point last_seen) {
    running_ = true;
    from_ = before.primary_node().name;
    cause_ = std::move(cause);
    last_seen_ = last_seen;
    phases_.clear();
    mark("detect");
}

void FailoverLog::mark(std::string phase) {
    if (running_) phases_.push_back({std::move(phase), Clock::now()});
}

std::string FailoverLog::finish(const shardmap::Shard& after) {
    boost::json::object event{{"shard", after.name}, {"to", after.primary_node().name}, {"epoch", after.epoch.value}};
    if (running_) {
        boost::json::object phases;
        Clock::time_point before = last_seen_;
        for (const Phase& phase : phases_) {
            phases[phase.name] = milliseconds(phase.end - before);
            before = phase.end;
        }
        event["from"] = from_;
        event["cause"] = cause_;
        event["phases_ms"] = std::move(phases);
        event["total_ms"] = milliseconds(before - last_seen_);
    } else {
        event["cause"] = "continued from a recorded step";
    }
    running_ = false;
    phases_.clear();
    return json_line(event);
}

std::string node_event(const shardmap::Shard& shard, const shardmap::Node& node, std::string_view detail) {
    return json_line(
        boost::json::object{{"shard", shard.name}, {"node", node.name}, {"detail", std::string(detail)}});
}

}  // namespace pgmosaic::replication

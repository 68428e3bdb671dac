#include "coordinator/internal/console_pages.h"

#include <algorithm>
#include <boost/json.hpp>

namespace pgmosaic::coordinator {

namespace {

using replication::NodeStatus;
using replication::ShardStatus;

constexpr int kUnavailable = 503;
constexpr int kNotFound = 404;

bool has_primary(const ShardStatus& shard) { return shard.state == "healthy" || shard.state == "degraded"; }

const NodeStatus* primary_of(const ShardStatus& shard) {
    const auto found = std::find_if(shard.nodes.begin(), shard.nodes.end(), [](const NodeStatus& n) { return n.role == "primary"; });
    return found == shard.nodes.end() ? nullptr : &*found;
}

ConsolePage primary_page(const ShardStatus& shard) {
    const NodeStatus* primary = primary_of(shard);
    const bool serves = primary != nullptr && has_primary(shard);
    boost::json::object body{{"shard", shard.name}, {"state", shard.state}, {"epoch", shard.epoch.value}};
    if (serves) {
        body["primary"] = primary->name;
        body["timeline"] = primary->timeline;
        body["lsn"] = to_string(primary->lsn);
    }
    return {.status = serves ? 200 : kUnavailable, .type = "application/json", .body = boost::json::serialize(body) + "\n"};
}

ConsolePage ready_page(const ConsoleFacts& facts) {
    std::string without;
    for (const ShardStatus& shard : facts.shards) {
        if (!has_primary(shard)) without += (without.empty() ? "" : ", ") + shard.name;
    }
    if (without.empty() && !facts.shards.empty()) return {.body = "ready\n"};
    return {.status = kUnavailable, .body = "no primary: " + (without.empty() ? "nothing is known yet" : without) + "\n"};
}

/// Prometheus' text format: one family after the other, each with its help and type.
class MetricsText {
   public:
    void family(std::string_view name, std::string_view help) {
        name_ = name;
        text_ += "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " gauge\n";
    }
    void value(const std::string& labels, std::uint64_t value) {
        text_ += name_ + (labels.empty() ? "" : "{" + labels + "}") + " " + std::to_string(value) + "\n";
    }
    std::string take() { return std::move(text_); }

   private:
    std::string name_;
    std::string text_;
};

std::string label(const ShardStatus& shard) { return "shard=\"" + shard.name + "\""; }
std::string label(const ShardStatus& shard, const NodeStatus& node) { return label(shard) + ",node=\"" + node.name + "\""; }

std::string metrics(const ConsoleFacts& facts) {
    MetricsText text;
    text.family("mosaic_map_version", "Version of the shard map.");
    text.value("", facts.map_version);
    text.family("mosaic_clients", "Client sessions.");
    text.value("", facts.clients);
    text.family("mosaic_shard_primary_up", "1 if the shard has a primary that takes statements.");
    for (const ShardStatus& shard : facts.shards) text.value(label(shard), has_primary(shard) ? 1 : 0);
    text.family("mosaic_shard_redundant", "1 if the shard has a standby that may take over without losing a commit.");
    for (const ShardStatus& shard : facts.shards) text.value(label(shard), shard.state == "healthy" ? 1 : 0);
    text.family("mosaic_shard_epoch", "Number of the shard's present primary; grows with every failover.");
    for (const ShardStatus& shard : facts.shards) text.value(label(shard), shard.epoch.value);
    text.family("mosaic_node_up", "1 if the server answers.");
    for (const ShardStatus& shard : facts.shards) {
        for (const NodeStatus& node : shard.nodes) text.value(label(shard, node), node.health == replication::Health::kAnswering ? 1 : 0);
    }
    text.family("mosaic_node_lag_bytes", "WAL that a standby has not flushed yet.");
    for (const ShardStatus& shard : facts.shards) {
        for (const NodeStatus& node : shard.nodes) text.value(label(shard, node), node.lag_bytes);
    }
    return text.take();
}

}  // namespace

ConsolePage console_page(std::string_view path, const ConsoleFacts& facts) {
    constexpr std::string_view kShard = "/health/shard/";
    constexpr std::string_view kPrimary = "/primary";
    if (path == "/health/live") return {.body = "live\n"};
    if (path == "/health/ready") return ready_page(facts);
    if (path == "/metrics") return {.type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics(facts)};
    if (path.starts_with(kShard) && path.ends_with(kPrimary) && path.size() > kShard.size() + kPrimary.size()) {
        const std::string_view name = path.substr(kShard.size(), path.size() - kShard.size() - kPrimary.size());
        for (const ShardStatus& shard : facts.shards) {
            if (shard.name == name) return primary_page(shard);
        }
    }
    return {.status = kNotFound, .body = "not found\n"};
}

std::string_view requested_path(std::string_view request) {
    for (const std::string_view method : {"GET ", "HEAD "}) {
        if (!request.starts_with(method)) continue;
        const std::string_view rest = request.substr(method.size());
        return rest.substr(0, rest.find_first_of(" ?\r\n"));
    }
    return {};
}

}  // namespace pgmosaic::coordinator

// Starting servers and making standbys anew: work that takes long, beside the keeper's own steps.

#include <algorithm>

#include "base/log.h"
#include "replication/internal/own_trouble.h"
#include "replication/internal/record_steps.h"
#include "replication/internal/shard_keeper.h"

namespace pgmosaic::replication {

using shardmap::NodeState;

namespace {

constexpr auto kStartMax = 60s;
constexpr auto kStopMax = 3s;     // afterwards it is killed: a stopped (SIGSTOP) server heeds nothing else
constexpr auto kRebuildMax = 1h;  // a base backup of a large server
constexpr Clock::duration kBackoffFirst = 1s;
constexpr Clock::duration kBackoffMax = 60s;

}  // namespace

void ShardKeeper::begin_mending(NodeId node, bool rebuild) {
    server(node).busy = true;
    tasks_.spawn(mend(node, rebuild));
}

Task<> ShardKeeper::mend(NodeId node, bool rebuild_it) {
    spdlog::info("failover mend {} {} {}", log_field("shard", shard_.name), log_field("node", shard_.find_node(node)->name),
                 log_field("how", rebuild_it ? "rebuild" : "start"));
    Result<void> outcome;
    try {
        if (rebuild_it) {
            outcome = co_await rebuild(node);
        } else {
            outcome = co_await context_.partners.nodes->start(node, Deadline::after(kStartMax));
        }
    } catch (...) {
        outcome = error_of_current_exception();
    }
    mended(node, rebuild_it, outcome);
}

Task<Result<void>> ShardKeeper::rebuild(NodeId node) {
    auto saved = save(with_node_state(shard_, node, NodeState::kRebuilding), "a standby is made anew");
    if (!saved) co_return saved;
    publish_map().has_value();
    auto stopped = co_await context_.partners.nodes->stop(node, node::StopMode::kImmediate, Deadline::after(kStopMax));
    if (!stopped) co_return stopped;
    auto rebuilt = co_await context_.partners.nodes->rebuild_as_standby(node, shard_.primary, Deadline::after(kRebuildMax));
    if (!rebuilt) co_return rebuilt;
    saved = save(with_node_state(shard_, node, NodeState::kReady), "the standby streams");
    co_return saved ? publish_map() : saved;
}

void ShardKeeper::mended(NodeId node, bool rebuild_it, const Result<void>& outcome) {
    Server& each = server(node);
    const shardmap::Node& described = *shard_.find_node(node);
    each.busy = false;
    each.streamed_at = Clock::now();
    each.probe.look_now();
    if (outcome) {
        each.backoff = {};
        each.retry_at = Clock::now() + kBackoffFirst;  // until then it has been looked at
        if (rebuild_it) each.failed_starts = 0;
        append_event(rebuild_it ? "standby_rebuilt" : "server_started", node_event(shard_, described, "it answers"));
        return;
    }
    if (!rebuild_it) ++each.failed_starts;
    each.backoff = std::clamp(each.backoff * 2, kBackoffFirst, kBackoffMax);
    each.retry_at = Clock::now() + each.backoff;
    trouble_ = outcome.error().message;
    append_event("mending_failed", node_event(shard_, described, outcome.error().message));
    spdlog::error("failover mending_failed {} {} {}", log_field("node", described.name),
                  log_field("message", outcome.error().message), log_field("detail", outcome.error().detail));
}

void ShardKeeper::ask(ByHand wish) {
    by_hand_ = wish;
    news_.notify();
}

Task<Result<void>> ShardKeeper::checkpoint_primary(Deadline deadline) {
    // A session of its own: the keeper's hands are the keeper's.
    ServerSession session(context_.options.address_of(shard_.primary_node()));
    const auto done = co_await session.query("CHECKPOINT", deadline);
    if (!done) co_return done.error();
    co_return Result<void>();
}

}  // namespace pgmosaic::replication

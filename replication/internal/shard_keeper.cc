#include "replication/internal/shard_keeper.h"

#include <algorithm>

#include "base/log.h"
#include "replication/internal/own_trouble.h"
#include "replication/internal/record_steps.h"

namespace pgmosaic::replication {

using shardmap::FailoverStep;
using shardmap::Node;
using shardmap::NodeState;
using shardmap::Standing;

namespace {

constexpr auto kLookInterval = 100ms;
// A failed step is tried again after this, so that a server in trouble is not pestered.
constexpr auto kRetryPause = 100ms;
// Commits that are made to wait for a standby this far behind wait for a tenth of a second at most.
constexpr std::uint64_t kLagBytesMax = 16 << 20;

bool is_idle(Action action) { return action == Action::kWait || action == Action::kDown || action == Action::kRefuse; }

}  // namespace

ShardKeeper::Server::Server(const KeeperContext& context, const Node& node, std::function<void()> on_look)
    : probe(context.executor, node, context.options.address_of(node), context.partners.nodes, context.options.probe_interval,
            std::move(on_look)),
      hands(ServerSession::of_keeper(context.options.address_of(node))),
      local(context.partners.nodes != nullptr && context.partners.nodes->is_local(node.id)),
      streamed_at(Clock::now()) {}

ShardKeeper::ShardKeeper(const KeeperContext& context, shardmap::Shard shard)
    : context_(context), shard_(std::move(shard)), news_(context.executor), looked_(context.executor), tasks_(context.executor) {
    for (const Node& node : shard_.nodes) add_server(node);
}

void ShardKeeper::add_server(const Node& node) {
    servers_.emplace(node.id, std::make_unique<Server>(context_, node, [this] {
        news_.notify();
        looked_.notify();
    }));
}

Task<> ShardKeeper::run() {
    for (auto& [id, each] : servers_) tasks_.spawn(each->probe.run());
    std::exception_ptr failure;
    try {
        while (true) co_await step();
    } catch (...) {
        failure = std::current_exception();
    }
    // Cancelled as we are, the probes are waited for all the same.
    co_await asio::this_coro::throw_if_cancelled(false);
    tasks_.stop();
    co_await tasks_.join();
    std::rethrow_exception(failure);
}

Task<> ShardKeeper::step() {
    note_streams();
    tell_availability();
    tell_position();
    const Action action = next(view());
    set_pace(action);
    if (action != last_action_ && !is_idle(action)) {
        spdlog::info("failover step {} {}", log_field("shard", shard_.name), log_field("action", to_string(action)));
    }
    last_action_ = action;
    if (action == Action::kRefuse) tell_refusal();
    if (is_idle(action)) {
        co_await news_.wait(kLookInterval);
        co_return;
    }
    Result<void> done;
    try {
        done = co_await perform(action);
    } catch (...) {
        done = error_of_current_exception();
    }
    if (done) {
        trouble_.clear();
        co_return;
    }
    if (done.error().message != trouble_) {
        spdlog::warn("failover trouble {} {} {}", log_field("shard", shard_.name), log_field("action", to_string(action)),
                     log_field("message", done.error().message));
    }
    trouble_ = done.error().message;
    co_await news_.wait(kRetryPause);
}

bool ShardKeeper::on_the_way() const {
    return shard_.step == FailoverStep::kFenced || shard_.step == FailoverStep::kDrained || shard_.step == FailoverStep::kPromoting;
}

const Node* ShardKeeper::old_or_primary() const { return on_the_way() ? fenced_node(shard_) : &shard_.primary_node(); }

const Node* ShardKeeper::standby_node() const { return on_the_way() ? &shard_.primary_node() : other_node(shard_); }

// ---------------------------------------------------------------- what is known

FailoverView ShardKeeper::view() const {
    FailoverView view{.shard = shard_, .primary = view_primary(), .standby = view_standby(), .policy = context_.options.policy,
                      .by_hand = by_hand_, .old_primary_stopped = old_primary_stopped_};
    if (promote_at_) view.promote_asked = Clock::now() - *promote_at_;
    return view;
}

PrimaryView ShardKeeper::view_primary() const {
    const Node* node = old_or_primary();
    if (node == nullptr) return {};
    const Server& each = *servers_.at(node->id);
    const NodeLook& seen = each.probe.look();
    PrimaryView view{.health = seen.health, .seen = seen.seen, .unanswered = Clock::now() - seen.led};
    view.in_recovery = seen.facts.in_recovery;
    view.verified = !each.verified_incarnation.empty() && each.verified_incarnation == seen.facts.incarnation;
    view.newer_epoch_seen = newer_epoch_seen();
    view.names_nobody = seen.seen && seen.facts.names.empty();
    const Node* standby = standby_node();
    view.names_standby = seen.seen && standby != nullptr && seen.facts.names == names_for(standby->name);
    view.local = each.local;
    view.busy = each.busy;
    view.retry_due = Clock::now() >= each.retry_at;
    return view;
}

StandbyView ShardKeeper::view_standby() const {
    const Node* node = standby_node();
    if (node == nullptr) return {};
    const Server& each = *servers_.at(node->id);
    const NodeLook& seen = each.probe.look();
    StandbyView view{.exists = true, .health = seen.health, .unanswered = Clock::now() - seen.answered, .state = node->state};
    view.local = each.local;
    view.in_recovery = seen.facts.in_recovery;
    view.receiver = seen.facts.receiver;
    view.names_nobody = seen.facts.names.empty();
    view.sourceless = seen.facts.sourceless;
    view.replay_paused = seen.facts.replay_paused;
    view.drained = seen.drained();
    view.busy = each.busy;
    view.retry_due = Clock::now() >= each.retry_at;
    view.cannot_start = each.failed_starts >= 2;
    view.not_streaming = Clock::now() - each.streamed_at;
    if (on_the_way()) return view;
    const NodeLook& primary = look(shard_.primary);
    const Follower* follower = primary.health == Health::kAnswering ? primary.follower(node->name) : nullptr;
    view.streaming = follower != nullptr && follower->streaming;
    view.synchronous = view.streaming && follower->synchronous;
    view.impersonated = primary.health == Health::kAnswering && primary.has_impostor(node->name);
    view.caught_up = view.streaming && follower->flushed.value + kLagBytesMax >= primary.facts.lsn.value;
    if (seen.seen && primary.seen) {
        view.foreign = seen.system_identifier != primary.system_identifier ||
                       (primary.health == Health::kAnswering && seen.facts.timeline > primary.facts.timeline);
    }
    return view;
}

std::uint64_t ShardKeeper::newest_epoch() const {
    std::uint64_t newest = newest_epoch_;
    for (const auto& [id, each] : servers_) newest = std::max(newest, each->probe.look().epoch);
    return newest;
}

Error ShardKeeper::old_store_error() const {
    return Error{.code = sqlstate::kObjectNotInPrerequisiteState,
                 .message = "shard \"" + shard_.name + "\" has seen epoch " + std::to_string(newest_epoch()) + ", the store knows " +
                            std::to_string(shard_.epoch.value),
                 .hint = "The store is an old copy. Bring back the newest one."};
}

void ShardKeeper::tell_refusal() {
    const Error error = old_store_error();
    if (trouble_ == error.message) return;
    trouble_ = error.message;
    spdlog::error("failover refuses {} {} {}", log_field("shard", shard_.name), log_field("message", error.message),
                  log_field("hint", error.hint));
    append_event("store_is_old", node_event(shard_, shard_.primary_node(), error.message));
}

/// Keeps for how long a standby could have been seen streaming, and was not.
void ShardKeeper::note_streams() {
    const NodeLook& primary = look(shard_.primary);
    const auto now = Clock::now();
    const bool judge = primary.health == Health::kAnswering && now - primary.answered < 1s;
    for (const Node& node : shard_.nodes) {
        Server& each = server(node.id);
        const Follower* follower = primary.follower(node.name);
        if (!judge || each.busy || (follower != nullptr && follower->streaming)) each.streamed_at = now;
    }
}

void ShardKeeper::forgive(Clock::duration slept) {
    for (auto& [id, each] : servers_) {
        each->probe.forgive(slept);
        each->streamed_at += slept;
    }
}

/// Looks are frequent while they are waited for.
void ShardKeeper::set_pace(Action action) {
    const NodeLook& primary = look(shard_.primary);
    const bool trouble = primary.health != Health::kAnswering || primary.facts.in_recovery;
    const bool hurry = shard_.step != FailoverStep::kNone || (trouble && Clock::now() - primary.led < 30s) || !is_idle(action);
    for (auto& [id, each] : servers_) each->probe.set_hurry(hurry);
}

/// A silent primary may answer again; one that restarts, or is gone, may not be given statements before it is verified.
void ShardKeeper::tell_availability() {
    const PrimaryView primary = view_primary();
    const bool away = primary.health == Health::kStarting || primary.health == Health::kStopping || primary.health == Health::kRefusing ||
                      primary.health == Health::kGone;
    const bool available = shard_.serves() && primary.verified && !away && !primary.in_recovery && !primary.newer_epoch_seen;
    if (available_ == available) return;
    available_ = available;
    spdlog::info("failover available {} {}", log_field("shard", shard_.name), log_field("available", available ? "yes" : "no"));
    context_.partners.publisher->set_available(shard_.id, available);
}

void ShardKeeper::tell_position() {
    const NodeLook& primary = look(shard_.primary);
    if (!shard_.serves() || primary.health != Health::kAnswering || primary.facts.in_recovery) return;
    context_.partners.publisher->note_position(shard_.id, shard_.epoch, primary.facts.lsn);
}

// ---------------------------------------------------------------- status

std::string ShardKeeper::node_role(const Node& node) const {
    if (servers_.at(node.id)->busy || node.state == NodeState::kRebuilding) return "rebuilding";
    if (node.state == NodeState::kFenced) return "fenced";
    if (look(node.id).health != Health::kAnswering) return "down";
    return node.id == shard_.primary && !on_the_way() ? "primary" : "standby";
}

NodeStatus ShardKeeper::node_status(const Node& node) const {
    const NodeLook& seen = look(node.id);
    const NodeLook& primary = look(shard_.primary);
    NodeStatus status{.id = node.id, .name = node.name, .role = node_role(node), .health = seen.health,
                      .timeline = seen.facts.timeline, .lsn = seen.facts.lsn};
    if (context_.partners.nodes != nullptr) status.pid = context_.partners.nodes->pid(node.id).value_or(0);
    const bool is_primary = node.id == shard_.primary;
    const Node* standby = is_primary ? other_node(shard_) : &node;
    const Follower* follower = standby == nullptr ? nullptr : primary.follower(standby->name);
    status.sync = follower != nullptr && follower->streaming && follower->synchronous && shard_.standing != Standing::kAlone;
    if (!is_primary && follower != nullptr && primary.facts.lsn > follower->flushed) {
        status.lag_bytes = primary.facts.lsn.value - follower->flushed.value;
    }
    status.promotable = !is_primary && shard_.promotable() == &node;
    return status;
}

ShardStatus ShardKeeper::status() const {
    ShardStatus status{.id = shard_.id, .name = shard_.name, .epoch = shard_.epoch, .action = last_action_, .trouble = trouble_};
    for (const Node& node : shard_.nodes) status.nodes.push_back(node_status(node));
    const bool complete = shard_.nodes.size() < 2 || (shard_.promotable() != nullptr && status.nodes.front().sync &&
                                                     look(*shard_.standby).health == Health::kAnswering);
    if (!shard_.serves()) {
        status.state = "failing_over";
    } else if (!available_.value_or(false)) {
        status.state = "down";
    } else {
        status.state = complete ? "healthy" : "degraded";
    }
    return status;
}

}  // namespace pgmosaic::replication

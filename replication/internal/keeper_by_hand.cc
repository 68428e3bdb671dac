// What an operator asks of a shard's standby. The record says it, the keeper's steps do it.

#include <algorithm>

#include "base/log.h"
#include "replication/internal/record_steps.h"
#include "replication/internal/server_orders.h"
#include "replication/internal/shard_keeper.h"

namespace pgmosaic::replication {

using shardmap::Node;
using shardmap::NodeState;
using shardmap::Shard;
using shardmap::Standing;

namespace {

constexpr auto kByHandLook = 50ms;
constexpr auto kByHandOrderMax = 5s;
constexpr auto kByHandStopMax = 30s;

Error state_error(std::string message, std::string hint = {}) {
    return Error{.code = sqlstate::kObjectNotInPrerequisiteState, .message = std::move(message), .hint = std::move(hint)};
}

Error goes_on(const std::string& what) {
    return Error{.code = sqlstate::kQueryCanceled, .message = what + " was not done in time; it goes on"};
}

Shard without(Shard shard, NodeId id) {
    std::erase_if(shard.nodes, [id](const Node& node) { return node.id == id; });
    if (shard.standby == id) shard.standby.reset();
    return shard;
}

Task<> pause_by_hand() {
    asio::steady_timer timer(co_await asio::this_coro::executor, kByHandLook);
    co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace

const Node* ShardKeeper::find_node(const std::string& name) const {
    const auto found = std::find_if(shard_.nodes.begin(), shard_.nodes.end(), [&](const Node& node) { return node.name == name; });
    return found == shard_.nodes.end() ? nullptr : &*found;
}

Result<void> ShardKeeper::check_by_hand(const std::string& name) const {
    const Node* node = find_node(name);
    if (node == nullptr) return Error{.code = sqlstate::kUndefinedObject, .message = "node \"" + name + "\" does not exist"};
    if (!shard_.serves()) return state_error("a failover of shard \"" + shard_.name + "\" is under way", "Try again when it is done.");
    if (node->id == shard_.primary) {
        return state_error("node \"" + name + "\" is the primary of shard \"" + shard_.name + "\"",
                           "Let its standby take over first: pgmosaic switchover " + shard_.name + ".");
    }
    if (!servers_.at(node->id)->local) {
        return refusal("node \"" + name + "\" is not on this machine", {}, "Make it a standby on its own host.");
    }
    return {};
}

Task<Result<void>> ShardKeeper::rebuild_by_hand(std::string name, Deadline deadline) {
    const auto allowed = check_by_hand(name);
    if (!allowed) co_return allowed;
    const NodeId id = find_node(name)->id;
    const auto begun = co_await begin_rebuild(id, deadline);
    if (!begun) co_return begun;
    co_return co_await wait_rebuilt(id, deadline);
}

/// From here on the keeper's own steps lead: alone, names cleared, made anew, named, proved.
Task<Result<void>> ShardKeeper::begin_rebuild(NodeId id, Deadline deadline) {
    while (server(id).busy && !deadline.passed()) co_await pause_by_hand();
    if (server(id).busy) co_return goes_on("what is done to the node now");
    server(id).retry_at = Clock::now();
    server(id).backoff = {};
    auto saved = save(with_node_state(shard_, id, NodeState::kRebuilding), "an operator has it made anew");
    if (saved) saved = publish_map();
    news_.notify();
    co_return saved;
}

Task<Result<void>> ShardKeeper::wait_rebuilt(NodeId id, Deadline deadline) {
    while (!deadline.passed()) {
        const Node* node = shard_.find_node(id);
        if (node == nullptr) co_return state_error("the node was removed meanwhile");
        if (node->state == NodeState::kReady) co_return Result<void>();
        const Server& each = server(id);
        if (!each.busy && each.backoff > Clock::duration{}) co_return state_error(trouble_, "It is tried again by itself.");
        co_await pause_by_hand();
    }
    co_return goes_on("the rebuild");
}

/// Until commits wait for nobody.
Task<Result<void>> ShardKeeper::wait_alone(Deadline deadline) {
    while (!deadline.passed()) {
        const NodeLook& primary = look(shard_.primary);
        const bool cleared = primary.health == Health::kAnswering && primary.facts.names.empty();
        if (shard_.serves() && shard_.standing == Standing::kAlone && cleared) co_return Result<void>();
        co_await pause_by_hand();
    }
    co_return goes_on("the removal");
}

Task<Result<void>> ShardKeeper::remove_standby(std::string name, Deadline deadline) {
    const auto allowed = check_by_hand(name);
    if (!allowed) co_return allowed;
    if (!context_.options.policy.continue_alone) {
        co_return state_error("the only standby of shard \"" + shard_.name + "\" cannot be removed",
                              "failover.without_standby is \"wait\": writes would stop.");
    }
    const NodeId id = find_node(name)->id;
    auto done = co_await begin_rebuild(id, deadline);
    server(id).busy = true;  // nobody mends it
    if (done) done = co_await wait_alone(deadline);
    if (done) done = co_await context_.partners.nodes->stop(id, node::StopMode::kFast, Deadline::after(kByHandStopMax));
    ServerSession session(context_.options.address_of(shard_.primary_node()));  // the keeper's hands are the keeper's
    if (done) done = co_await drop_slot(session, name, Deadline::after(kByHandOrderMax));
    if (done) done = save(without(shard_, id), "an operator took a standby away");
    if (done) done = publish_map();
    server(id).busy = false;
    if (done) append_event("standby_removed", "{\"shard\":\"" + shard_.name + "\",\"node\":\"" + name + "\"}");
    co_return done;
}

Task<Result<void>> ShardKeeper::add_standby(node::KnownServer known, Deadline deadline) {
    if (!shard_.serves()) co_return state_error("a failover of shard \"" + shard_.name + "\" is under way", "Try again when it is done.");
    if (other_node(shard_) != nullptr) {
        co_return Error{.code = sqlstate::kDuplicateObject, .message = "shard \"" + shard_.name + "\" has a standby"};
    }
    Shard changed = shard_;
    changed.nodes.push_back({.id = known.node, .name = known.name, .host = known.host, .port = known.port,
                             .data_directory = known.data_directory, .state = NodeState::kRebuilding});
    const bool is_new = servers_.count(known.node) == 0;
    if (is_new) add_server(changed.nodes.back());
    if (is_new) tasks_.spawn(server(known.node).probe.run());
    auto saved = save(std::move(changed), "an operator gave it a standby");
    if (saved) saved = publish_map();
    if (!saved) co_return saved;
    append_event("standby_added", "{\"shard\":\"" + shard_.name + "\",\"node\":\"" + known.name + "\"}");
    news_.notify();
    co_return co_await wait_rebuilt(known.node, deadline);
}

}  // namespace pgmosaic::replication

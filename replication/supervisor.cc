#include "replication/supervisor.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <mutex>

#include "base/log.h"
#include "base/task_group.h"
#include "replication/internal/shard_keeper.h"
#include "shardmap/store/map_store.h"

namespace pgmosaic::replication {

namespace {

constexpr auto kTick = 50ms;
// A tick that comes this late: the whole process was stopped, and nobody else was silent.
constexpr auto kSleptMin = 500ms;
constexpr auto kAskInterval = 10ms;

Error no_such_shard(ShardId shard) {
    return Error{.code = sqlstate::kUndefinedObject, .message = "shard number " + std::to_string(shard.value) + " does not exist"};
}

Error not_there(const std::string& what, const std::string& name) {
    return Error{.code = sqlstate::kUndefinedObject, .message = what + " \"" + name + "\" does not exist"};
}

Error not_promotable(const shardmap::Shard& shard) {
    return Error{.code = sqlstate::kObjectNotInPrerequisiteState,
                 .message = "shard \"" + shard.name + "\" has no standby that may be promoted",
                 .detail = "It is not proved that every acknowledged commit is on a standby.",
                 .hint = "Wait until the standby is in sync; status shows it as promotable."};
}

Error not_in_time(const ShardKeeper& keeper) {
    return Error{.code = sqlstate::kCannotConnectNow,
                 .message = "failover of shard \"" + keeper.shard().name + "\" was not done in time",
                 .detail = keeper.trouble().empty() ? std::string() : "The last step says: " + keeper.trouble() + "."};
}

Task<> pause_for(Clock::duration length) {
    asio::steady_timer timer(co_await asio::this_coro::executor, length);
    co_await timer.async_wait(asio::use_awaitable);
}

}  // namespace

struct Supervisor::State {
    State(asio::any_io_executor executor, SupervisorPartners partners, SupervisorOptions options)
        : context{std::move(executor), partners, std::move(options)}, tasks(context.executor) {}

    KeeperContext context;
    TaskGroup tasks;
    std::vector<std::unique_ptr<ShardKeeper>> keepers;  ///< [ShardId]
    mutable std::mutex mutex;
    std::vector<ShardStatus> published;                 ///< guarded: what status() copies

    void publish_status() {
        std::vector<ShardStatus> fresh;
        for (const auto& keeper : keepers) fresh.push_back(keeper->status());
        const std::lock_guard guard(mutex);
        published = std::move(fresh);
    }

    Task<> tick() {
        while (true) {
            const auto before = Clock::now();
            co_await pause_for(kTick);
            const auto late = Clock::now() - before - kTick;
            if (late >= kSleptMin) {
                spdlog::warn("failover slept {}", log_field("seconds", std::to_string(std::chrono::duration<double>(late).count())));
                for (const auto& keeper : keepers) keeper->forgive(late);
            }
            publish_status();
        }
    }

    Task<Result<void>> replace(ShardId shard, ByHand how, Deadline deadline) {
        if (shard.value >= keepers.size()) co_return no_such_shard(shard);
        ShardKeeper& keeper = *keepers[shard.value];
        if (keeper.shard().serves() && keeper.shard().promotable() == nullptr) co_return not_promotable(keeper.shard());
        if (how == ByHand::kSwitchover) {
            auto ready = co_await prepare_switchover(keeper, deadline);
            if (!ready) co_return ready;
        }
        const std::uint64_t before = keeper.failovers_done();
        if (keeper.shard().serves()) keeper.ask(how);
        while (keeper.failovers_done() == before && !deadline.passed()) co_await pause_for(kAskInterval);
        if (keeper.failovers_done() != before) co_return Result<void>();
        if (keeper.shard().serves()) keeper.take_back_wish();
        co_return not_in_time(keeper);
    }

    ShardKeeper* keeper_of(const std::string& node) {
        for (const auto& keeper : keepers) {
            for (const shardmap::Node& each : keeper->shard().nodes) {
                if (each.name == node) return keeper.get();
            }
        }
        return nullptr;
    }

    Task<Result<void>> change_standby(std::string node, bool remove, Deadline deadline) {
        ShardKeeper* keeper = keeper_of(node);
        if (keeper == nullptr) co_return not_there("node", node);
        if (remove) co_return co_await keeper->remove_standby(node, deadline);
        co_return co_await keeper->rebuild_by_hand(node, deadline);
    }

    /// Servers are named after their shards: s1a and s1b are of s1.
    Task<Result<void>> add_standby(std::string shard, Deadline deadline) {
        const auto found = std::find_if(keepers.begin(), keepers.end(), [&](const auto& k) { return k->shard().name == shard; });
        if (found == keepers.end()) co_return not_there("shard", shard);
        std::vector<node::KnownServer> known;
        if (context.partners.nodes != nullptr) known = context.partners.nodes->known();
        for (const node::KnownServer& server : known) {
            const bool of_shard = server.name.size() == shard.size() + 1 && server.name.starts_with(shard);
            if (of_shard && (*found)->shard().find_node(server.node) == nullptr) {
                co_return co_await (*found)->add_standby(server, deadline);
            }
        }
        co_return refusal("there is no server that could be a standby of shard \"" + shard + "\"",
                          "Only a standby that was removed can be added again in this version.");
    }

    Task<Result<void>> prepare_switchover(ShardKeeper& keeper, Deadline deadline) {
        const node::NodeControl* nodes = context.partners.nodes;
        if (nodes == nullptr || !nodes->is_local(keeper.shard().primary)) {
            co_return refusal("switchover of shard \"" + keeper.shard().name + "\" is not possible from here",
                              "Its primary runs on a host that this program does not drive.",
                              "Use failover, which needs nothing of the old primary.");
        }
        co_return co_await keeper.checkpoint_primary(deadline);
    }
};

Supervisor::Supervisor(asio::any_io_executor executor, SupervisorPartners partners, SupervisorOptions options)
    : state_(std::make_unique<State>(std::move(executor), partners, std::move(options))) {}

Supervisor::~Supervisor() = default;

Result<void> Supervisor::start() {
    auto map = store::load_map(*state_->context.partners.store);
    if (!map) return map.error();
    for (const shardmap::Shard& shard : (*map)->shards()) {
        state_->keepers.push_back(std::make_unique<ShardKeeper>(state_->context, shard));
        state_->tasks.spawn(state_->keepers.back()->run());
    }
    state_->publish_status();
    state_->tasks.spawn(state_->tick());
    return {};
}

void Supervisor::stop() { state_->tasks.stop(); }

Task<> Supervisor::join() { co_await state_->tasks.join(); }

Task<Result<void>> Supervisor::failover(ShardId shard, Deadline deadline) {
    State& state = *state_;
    co_return co_await asio::co_spawn(state.context.executor, state.replace(shard, ByHand::kFailover, deadline),
                                      asio::use_awaitable);
}

Task<Result<void>> Supervisor::switchover(ShardId shard, Deadline deadline) {
    State& state = *state_;
    co_return co_await asio::co_spawn(state.context.executor, state.replace(shard, ByHand::kSwitchover, deadline),
                                      asio::use_awaitable);
}

Task<Result<void>> Supervisor::rebuild(std::string node, Deadline deadline) {
    State& state = *state_;
    co_return co_await asio::co_spawn(state.context.executor, state.change_standby(std::move(node), false, deadline),
                                      asio::use_awaitable);
}

Task<Result<void>> Supervisor::remove_standby(std::string node, Deadline deadline) {
    State& state = *state_;
    co_return co_await asio::co_spawn(state.context.executor, state.change_standby(std::move(node), true, deadline),
                                      asio::use_awaitable);
}

Task<Result<void>> Supervisor::add_standby(std::string shard, Deadline deadline) {
    State& state = *state_;
    co_return co_await asio::co_spawn(state.context.executor, state.add_standby(std::move(shard), deadline), asio::use_awaitable);
}

void Supervisor::set_automatic(bool automatic) {
    asio::post(state_->context.executor, [this, automatic] {
        if (state_->context.options.policy.automatic == automatic) return;
        state_->context.options.policy.automatic = automatic;
        spdlog::warn("failover {}", automatic ? "resumed" : "paused");
        state_->context.partners.store->append_event(automatic ? "failover_resumed" : "failover_paused", "{}").has_value();
    });
}

std::vector<ShardStatus> Supervisor::status() const {
    const std::lock_guard guard(state_->mutex);
    return state_->published;
}

}  // namespace pgmosaic::replication

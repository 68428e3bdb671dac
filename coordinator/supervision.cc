#include "coordinator/supervision.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <optional>
#include <thread>

#include "base/log.h"
#include "coordinator/core.h"
#include "coordinator/takeover_resolver.h"
#include "replication/supervisor.h"
#include "shardmap/store/map_store.h"

namespace pgmosaic::coordinator {

namespace {

/// Failover and switchover by hand: how long an operator waits before being told that it goes on.
constexpr Clock::duration kByHandTime = 60s;
/// The same for a new base backup.
constexpr Clock::duration kRebuildTime = 1h;

/// News for all cores.
class Publisher : public replication::MapPublisher {
   public:
    explicit Publisher(Cluster& cluster) : cluster_(cluster) {}
    void publish(shardmap::MapPointer map) override { cluster_.publish(std::move(map)); }
    void set_available(ShardId shard, bool available) override {
        for (Core* core : cluster_.cores()) {
            asio::post(core->executor(), [core, shard, available] { core->set_available(shard, available); });
        }
    }

    void note_position(ShardId shard, Epoch epoch, Lsn position) override {
        cluster_.wal_floor(shard).raise(epoch.value, position.value);
    }

   private:
    Cluster& cluster_;
};

replication::SupervisorOptions supervisor_options(const ServerOptions& options, bool automatic) {
    replication::SupervisorOptions made;
    made.policy.detect = options.failover_detect;
    made.policy.automatic = automatic;
    made.policy.continue_alone = options.without_standby_continue;
    made.address_of = [options](const shardmap::Node& node) { return options.service_address(node.host, node.port, "postgres"); };
    return made;
}

}  // namespace

struct Supervision::State {
    State(Cluster& c, std::shared_ptr<store::Store> s, node::NodeControl* n)
        : cluster(c), store(std::move(s)), publisher(c), resolver(c),
          supervisor(context.get_executor(),
                     {.store = store.get(), .nodes = n, .publisher = &publisher, .resolver = &resolver},
                     supervisor_options(c.options(), c.live()->automatic_failover)) {}

    Cluster& cluster;
    std::shared_ptr<store::Store> store;
    asio::io_context context{1};
    Publisher publisher;
    TakeoverResolver resolver;
    replication::Supervisor supervisor;
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> guard;
    std::thread thread;

    Result<GroupId> make_group(const std::string& database, const std::string& name, Oid key_type) {
        // Somebody else may change the cluster's record between our reading and writing: read and try again.
        for (int attempt = 0; attempt < 10; ++attempt) {
            const auto map = store::load_map(*store);
            if (!map) return map.error();
            shardmap::Group group{.database = database, .name = name, .key_type = key_type};
            group.owners = shardmap::Ownership::even((*map)->shard_ids());
            const auto saved = store::save_group(*store, (*map)->cluster(), group, "create_distributed_table " + name);
            if (saved) {
                const auto next = store::load_map(*store);
                if (!next) return next.error();
                cluster.publish(*next);
                return saved->id;
            }
            if (saved.error().code != sqlstate::kSerializationFailure) return saved.error();
        }
        return Error{.code = sqlstate::kSerializationFailure, .message = "the shard map is being changed by others"};
    }

    Result<void> forget_groups(const std::string& database) {
        const auto map = store::load_map(*store);
        if (!map) return map.error();
        if (auto removed = store::remove_groups(*store, **map, database, "DROP DATABASE " + database); !removed) return removed.error();
        const auto next = store::load_map(*store);
        if (!next) return next.error();
        cluster.publish(*next);
        return {};
    }
};

Supervision::Supervision(Cluster& cluster, std::shared_ptr<store::Store> store, node::NodeControl* nodes)
    : state_(std::make_unique<State>(cluster, std::move(store), nodes)) {
    State* state = state_.get();
    cluster.make_group = [state](const std::string& database, const std::string& name, Oid key_type) {
        return state->make_group(database, name, key_type);
    };
    cluster.forget_groups = [state](const std::string& database) { return state->forget_groups(database); };
    cluster.failover = [state](ShardId shard) {
        return state->supervisor.failover(shard, Deadline::after(kByHandTime));
    };
    cluster.switchover = [state](ShardId shard) {
        return state->supervisor.switchover(shard, Deadline::after(kByHandTime));
    };
    cluster.rebuild_standby = [state](std::string node) {
        return state->supervisor.rebuild(std::move(node), Deadline::after(kRebuildTime));
    };
    cluster.remove_standby = [state](std::string node) {
        return state->supervisor.remove_standby(std::move(node), Deadline::after(kByHandTime));
    };
    cluster.add_standby = [state](std::string shard) {
        return state->supervisor.add_standby(std::move(shard), Deadline::after(kRebuildTime));
    };
    cluster.set_automatic_failover = [state](bool automatic) { state->supervisor.set_automatic(automatic); };
    cluster.shard_status = [state] { return state->supervisor.status(); };
    if (nodes != nullptr) {
        cluster.node_pid = [nodes](NodeId node) -> std::optional<int> {
            const auto pid = nodes->pid(node);
            return pid ? std::optional<int>(*pid) : std::nullopt;
        };
    }
    cluster.events = [state] {
        auto events = state->store->events(0, 1000);
        return events ? *events : std::vector<store::Event>{};
    };
}

Supervision::~Supervision() = default;

Result<void> Supervision::start() {
    if (auto started = state_->supervisor.start(); !started) return started.error();
    state_->guard.emplace(state_->context.get_executor());
    state_->thread = std::thread([&context = state_->context] { context.run(); });
    return {};
}

void Supervision::stop() {
    if (!state_->thread.joinable()) return;
    // Sessions on servers keep watching for their end until they are destroyed: the context would never run dry by itself.
    asio::post(state_->context, [state = state_.get()] {
        state->supervisor.stop();
        asio::co_spawn(state->context, state->supervisor.join(), [state](std::exception_ptr) { state->context.stop(); });
    });
    state_->guard.reset();
    state_->thread.join();
}

}  // namespace pgmosaic::coordinator

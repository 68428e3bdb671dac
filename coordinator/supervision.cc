#include "coordinator/supervision.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

#include "base/log.h"
#include "shardmap/store/map_store.h"

namespace pgmosaic::coordinator {

struct Supervision::State {
    State(Cluster& c, std::shared_ptr<store::Store> s, node::NodeControl* n) : cluster(c), store(std::move(s)), nodes(n) {}

    Cluster& cluster;
    std::shared_ptr<store::Store> store;
    node::NodeControl* nodes;
    asio::io_context context{1};
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
    cluster.events = [state] {
        auto events = state->store->events(0, 1000);
        return events ? *events : std::vector<store::Event>{};
    };
}

Supervision::~Supervision() = default;

void Supervision::start() {}
void Supervision::stop() {}

}  // namespace pgmosaic::coordinator

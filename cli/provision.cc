#include "cli/provision.h"

#include <algorithm>
#include <set>
#include <thread>

#include "replication/node/sql.h"

namespace pgmosaic::cli {

namespace {

using node::Server;

// Bounds for a machine under load; the steps take seconds.
constexpr auto kMakeTimeout = 120s;
constexpr auto kStartTimeout = 60s;
constexpr auto kStopTimeout = 30s;

/// Role and database `app`, unless they are there.
Result<void> make_database(const node::ServerSpec& server, Deadline deadline) {
    Result<node::Sql> sql = node::Sql::connect(node::conninfo(server), deadline);
    if (!sql) return sql.error();
    const std::pair<const char*, const char*> steps[] = {
        {"SELECT FROM pg_roles WHERE rolname = 'app'", "CREATE ROLE app LOGIN"},
        {"SELECT FROM pg_database WHERE datname = 'app'", "CREATE DATABASE app OWNER app"},
    };
    for (const auto& [look, make] : steps) {
        const Result<node::SqlRows> found = sql->run(look, deadline);
        if (!found) return found.error();
        if (!found->rows.empty()) continue;
        const Result<node::SqlRows> made = sql->run(make, deadline);
        // A session of an `up` that was killed goes on in its server until its statement ends.
        if (!made && !sqlstate::is_duplicate_object(made.error().code)) return made.error();
    }
    return {};
}

Result<void> named(const std::string& server, Result<void> outcome) {
    if (outcome) return outcome;
    Error error = outcome.error();
    if (error.message.find(server) == std::string::npos) error.message = "server \"" + server + "\": " + error.message;
    return error;
}

}  // namespace

Provision::Provision(Layout layout, ClusterFile cluster, const node::Binaries& binaries, node::Children& children,
                     const std::atomic<bool>& stopping, Progress progress)
    : layout_(std::move(layout)), cluster_(std::move(cluster)), stopping_(stopping), progress_(std::move(progress)) {
    for (const LocalServer& local : cluster_.servers) {
        servers_.emplace(local.name, std::make_unique<Server>(layout_.server(local), binaries, children));
    }
}

Result<void> Provision::make() {
    std::vector<Job> jobs;
    for (std::size_t i = 0; i < cluster_.servers.size(); ++i) {
        const LocalServer& local = cluster_.servers[i];
        if (local.shard.empty()) {
            jobs.emplace_back([this, &local] { return make_workbench(local); });
        } else if (i == 0 || cluster_.servers[i - 1].shard != local.shard) {
            const bool has_standby = i + 1 < cluster_.servers.size() && cluster_.servers[i + 1].shard == local.shard;
            const LocalServer* standby = has_standby ? &cluster_.servers[i + 1] : nullptr;
            jobs.emplace_back([this, &local, standby] { return make_shard(local, standby); });
        }
    }
    // initdb keeps a core busy; one more than cores fills the waits for the disk.
    return run_jobs(std::move(jobs), std::thread::hardware_concurrency() + 1);
}

Result<void> Provision::make_primary(Server& primary) {
    const Deadline deadline = Deadline::after(kMakeTimeout);
    if (!primary.has_data()) {
        if (Result<void> made = primary.initialize(deadline); !made) return made;
    }
    if (Result<void> going_on = check_stopping(); !going_on) return going_on;
    if (Result<void> started = primary.start(deadline); !started) return started;
    return make_database(primary.spec(), deadline);
}

Result<void> Provision::make_shard(const LocalServer& primary_entry, const LocalServer* standby_entry) {
    Server& primary = server(primary_entry.name);
    std::string line = primary_entry.shard + ": " + primary_entry.name + " on port " + std::to_string(primary_entry.port);
    if (standby_entry == nullptr) {
        if (Result<void> made = make_primary(primary); !made) return named(primary_entry.name, made);
        say(line + ", without standby");
        return {};
    }
    const Deadline deadline = Deadline::after(kMakeTimeout);
    Server& standby = server(standby_entry->name);
    // Before its primary has ever run, a standby is made by copying files: no backup, no checkpoint, half the time.
    if (!primary.has_data()) {
        if (Result<void> made = primary.initialize(deadline); !made) return named(primary_entry.name, made);
        Result<void> copied = check_stopping();
        if (copied && !standby.has_data()) copied = standby.copy_new(primary.spec());
        if (!copied) return named(standby_entry->name, copied);
    }
    if (Result<void> made = finish_shard(primary, standby, deadline); !made) return made;
    say(line + ", standby " + standby_entry->name + " on port " + std::to_string(standby_entry->port));
    return {};
}

/// Both servers start side by side; the standby asks for its primary until it is there.
Result<void> Provision::finish_shard(Server& primary, Server& standby, Deadline deadline) {
    Result<void> early;
    std::thread starting;
    if (standby.has_data()) starting = std::thread([&] { early = standby.start(deadline); });
    Result<void> made = named(primary.spec().name, make_primary(primary));
    if (starting.joinable()) starting.join();
    if (made) made = named(standby.spec().name, early);
    if (made) made = named(standby.spec().name, make_standby(standby, primary, deadline));
    return made;
}

Result<void> Provision::make_standby(Server& standby, Server& primary, Deadline deadline) {
    Result<void> made = check_stopping();
    const std::string& name = standby.spec().name;
    if (made && standby.has_data()) made = ensure_slot(primary.spec(), name, deadline);
    if (made && !standby.has_data()) made = standby.clone(primary.spec(), node::Flush::kLater, deadline);
    if (made) made = check_stopping();
    if (made) made = standby.start(deadline);
    return made ? require_standby(primary.spec(), name, deadline) : made;
}

Result<void> Provision::make_workbench(const LocalServer& workbench) {
    if (Result<void> made = make_primary(server(workbench.name)); !made) return named(workbench.name, made);
    say("workbench on port " + std::to_string(workbench.port));
    return {};
}

Result<void> Provision::start(const shardmap::ShardMap& map) {
    std::vector<Job> jobs;
    for (const shardmap::Shard& shard : map.shards()) {
        for (const shardmap::Node& node : shard.nodes) {
            if (servers_.count(node.name) == 0) continue;
            jobs.emplace_back([this, &shard, &node] { return start_node(shard, node); });
        }
    }
    jobs.emplace_back([this] {
        Result<void> started = server("workbench").start(Deadline::after(kStartTimeout));
        if (!started) say("workbench did not start: " + started.error().message);
        return Result<void>{};
    });
    const std::size_t threads = jobs.size();  // starting is waiting
    return run_jobs(std::move(jobs), threads);
}

Result<void> Provision::start_node(const shardmap::Shard& shard, const shardmap::Node& node) {
    Server& local = server(node.name);
    const bool is_primary = shard.primary == node.id;
    if (!is_primary && !(local.has_data() && local.is_standby())) {
        say(node.name + " waits to be made a standby again");
        return {};
    }
    const Result<void> started = local.start(Deadline::after(kStartTimeout));
    if (started) return {};
    const bool shard_survives = !is_primary || shard.promotable() != nullptr;
    if (!shard_survives || started.error().code == sqlstate::kDuplicateObject) return named(node.name, started);
    say(node.name + " did not start: " + started.error().message);
    return {};
}

Result<void> Provision::stop(const shardmap::ShardMap* map) {
    std::set<std::string> primaries;
    for (const auto& [name, local] : servers_) {
        if (!local->is_standby()) primaries.insert(name);
    }
    if (map != nullptr) {
        primaries = {"workbench"};
        for (const shardmap::Shard& shard : map->shards()) primaries.insert(shard.primary_node().name);
    }
    Result<void> failure;
    for (const bool turn_of_primaries : {true, false}) {
        std::vector<Job> jobs;
        for (const auto& [name, local] : servers_) {
            if ((primaries.count(name) != 0) != turn_of_primaries) continue;
            Server* server = local.get();
            jobs.emplace_back([this, server, &failure] {
                const Result<void> stopped = server->stop(node::StopMode::kFast, Deadline::after(kStopTimeout));
                const std::lock_guard lock(say_mutex_);
                if (!stopped && failure) failure = stopped;  // the others are stopped all the same
                return Result<void>{};
            });
        }
        const std::size_t threads = jobs.size();
        run_jobs(std::move(jobs), threads).has_value();
    }
    return failure;
}

/// The first failure is the answer; jobs that have not begun then are left out.
Result<void> Provision::run_jobs(std::vector<Job> jobs, std::size_t threads) {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    Result<void> outcome;
    const auto work = [&] {
        for (std::size_t job = next++; job < jobs.size(); job = next++) {
            Result<void> done = jobs[job]();
            const std::lock_guard lock(mutex);
            if (!done && outcome) {
                outcome = std::move(done);
                next = jobs.size();
            }
        }
    };
    std::vector<std::thread> workers;
    for (std::size_t i = 0; i < std::min(std::max<std::size_t>(threads, 1), jobs.size()); ++i) workers.emplace_back(work);
    for (std::thread& worker : workers) worker.join();
    return outcome;
}

Result<void> Provision::check_stopping() const {
    if (!stopping_) return {};
    return Error{.code = SqlState("57P01"), .message = "stopped before the cluster was complete",
                 .hint = "Run `pgmosaic up` again: it goes on where it stopped."};
}

void Provision::say(const std::string& line) {
    const std::lock_guard lock(say_mutex_);
    progress_(line);
}

Result<shardmap::MapPointer> first_map(const Layout& layout, const ClusterFile& cluster) {
    std::vector<shardmap::Shard> shards;
    std::uint32_t next_node = 1;
    for (const LocalServer& local : cluster.servers) {
        if (local.shard.empty()) continue;
        const node::ServerSpec spec = layout.server(local);
        const shardmap::Node node{.id = local.node, .name = local.name, .host = spec.host, .port = spec.port,
                                  .data_directory = spec.data_directory()};
        next_node = std::max(next_node, local.node.value + 1);
        if (shards.empty() || shards.back().name != local.shard) {
            const ShardId id{static_cast<std::uint16_t>(shards.size())};
            shards.push_back({.id = id, .name = local.shard, .primary = local.node, .nodes = {node}});
        } else {
            shards.back().nodes.push_back(node);
            shards.back().standby = local.node;
            shards.back().standing = shardmap::Standing::kNamed;
        }
    }
    const shardmap::Cluster head{.name = cluster.name, .id = cluster.id, .next_node = NodeId{next_node}};
    return shardmap::ShardMap::make(MapVersion{1}, head, std::move(shards), {});
}

}  // namespace pgmosaic::cli

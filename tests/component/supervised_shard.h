#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.h"
#include "replication/node/local_nodes.h"
#include "replication/node/sql.h"
#include "replication/supervisor.h"
#include "shardmap/store/map_store.h"
#include "shardmap/store/sqlite_store.h"

namespace pgmosaic::testing {

inline bool wait_for(const std::function<bool()>& condition, Clock::duration at_most) {
    for (const Deadline deadline = Deadline::after(at_most); !deadline.passed();) {
        if (condition()) return true;
        std::this_thread::sleep_for(5ms);
    }
    return condition();
}

/// What the supervisor tells the coordinator.
class Route : public replication::MapPublisher {
   public:
    void publish(shardmap::MapPointer map) override {
        const std::lock_guard guard(mutex_);
        map_ = std::move(map);
    }
    void set_available(ShardId, bool available) override {
        available_ = available;
        if (!available) ++withdrawals;
    }

    shardmap::Shard shard() const {
        const std::lock_guard guard(mutex_);
        return map_->shard(ShardId{0});
    }
    bool serves() const { return available_ && shard().serves(); }
    bool promotable() const { return shard().promotable() != nullptr; }
    std::atomic<int> withdrawals{0};  ///< how often the primary was taken from the clients

   private:
    mutable std::mutex mutex_;
    shardmap::MapPointer map_;
    std::atomic<bool> available_{false};
};

/// Counts; fails as often as it is told to.
class CountingResolver : public replication::Resolver {
   public:
    Task<Result<void>> resolve(ShardId, shardmap::Node, Deadline) override {
        ++calls;
        if (on_call) on_call();
        if (failures > 0) {
            --failures;
            co_return Error{.message = "not yet"};
        }
        co_return Result<void>();
    }
    std::atomic<int> calls{0};
    std::atomic<int> failures{0};
    std::function<void()> on_call;
};

/// A supervisor on a thread of its own.
class Guardian {
   public:
    Guardian(store::Store& store, node::NodeControl& nodes, Route& route, CountingResolver& resolver,
             replication::SupervisorOptions options = {})
        : work_(asio::make_work_guard(context_)) {
        options.address_of = [](const shardmap::Node& node) {
            return backend::ServerAddress{.host = node.host, .port = node.port, .database = "postgres", .user = "postgres"};
        };
        supervisor_ = std::make_unique<replication::Supervisor>(
            context_.get_executor(), replication::SupervisorPartners{&store, &nodes, &route, &resolver}, std::move(options));
        route.publish(store::load_map(store).value());
        supervisor_->start().value();
        thread_ = std::thread([this] { context_.run(); });
    }
    ~Guardian() {
        asio::post(context_, [this] { supervisor_->stop(); });
        try {
            asio::co_spawn(context_, supervisor_->join(), asio::use_future).get();
        } catch (const std::exception& failure) {
            ADD_FAILURE() << failure.what();
        }
        work_.reset();
        thread_.join();
    }
    replication::Supervisor& operator*() { return *supervisor_; }
    Result<void> run(Task<Result<void>> task) { return asio::co_spawn(context_, std::move(task), asio::use_future).get(); }
    replication::ShardStatus status() const { return supervisor_->status().at(0); }
    void stop_soon() {
        asio::post(context_, [this] { supervisor_->stop(); });
    }

   private:
    asio::io_context context_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::unique_ptr<replication::Supervisor> supervisor_;
    std::thread thread_;
};

/// One shard in a temporary folder: a primary, a synchronous standby, and a store that knows them. Run as root, the
/// process becomes postgres for good.
class SupervisedShard {
   public:
    SupervisedShard() {
        become_postgres();
        std::string pattern = (std::filesystem::temp_directory_path() / "pgm-shard-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        binaries_ = node::find_binaries().value();
        std::map<NodeId, node::ServerSpec> specs;
        for (std::uint32_t number : {1u, 2u}) specs[NodeId{number}] = spec(number == 1 ? "s1a" : "s1b");
        make_servers(specs[NodeId{1}], specs[NodeId{2}]);
        nodes_ = std::make_unique<node::LocalNodes>(specs, binaries_, children_);
        store_ = store::SqliteStore::open(store_path()).value();
        make_map(specs);
    }
    ~SupervisedShard() {
        for (std::uint32_t number : {1u, 2u}) stop(NodeId{number});
        nodes_.reset();
        store_.reset();
        std::filesystem::remove_all(folder_);
    }

    store::Store& store() { return *store_; }
    node::LocalNodes& nodes() { return *nodes_; }
    std::string store_path() const { return folder_ / "map.db"; }
    std::filesystem::path folder() const { return folder_; }
    void close_store() { store_.reset(); }
    void open_store(const std::string& path) { store_ = store::SqliteStore::open(path).value(); }

    /// Every process of a server.
    std::vector<pid_t> processes(NodeId node) const {
        std::vector<pid_t> found{nodes_->pid(node).value()};
        std::ifstream children("/proc/" + std::to_string(found[0]) + "/task/" + std::to_string(found[0]) + "/children");
        for (pid_t child = 0; children >> child;) found.push_back(child);
        return found;
    }
    void signal_all(NodeId node, int number) const {
        for (pid_t pid : processes(node)) kill(pid, number);
    }

    static Result<node::Sql> connect(const shardmap::Node& node, Clock::duration at_most) {
        return node::Sql::connect("host=" + node.host + " port=" + std::to_string(node.port) +
                                      " user=postgres dbname=postgres sslmode=disable gssencmode=disable",
                                  Deadline::after(at_most));
    }

   private:
    static void become_postgres() {
        if (geteuid() != 0) return;
        const passwd* account = getpwnam("postgres");
        ASSERT_NE(account, nullptr);
        ASSERT_EQ(setgid(account->pw_gid) | setuid(account->pw_uid), 0);
        ASSERT_EQ(chdir("/"), 0);
    }

    static std::uint16_t free_port() {
        const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t bytes = sizeof address;
        ::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address);
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &bytes);
        ::close(socket);
        return ntohs(address.sin_port);
    }

    node::ServerSpec spec(const std::string& name) {
        std::filesystem::create_directory(folder_ / name);
        return {.name = name, .directory = folder_ / name, .log_file = folder_ / (name + ".log"), .port = free_port(),
                .shared_buffers_megabytes = 32};
    }

    void make_servers(const node::ServerSpec& primary_spec, const node::ServerSpec& standby_spec) {
        const Deadline deadline = Deadline::after(120s);
        node::Server primary(primary_spec, binaries_, children_);
        node::Server standby(standby_spec, binaries_, children_);
        primary.initialize(deadline).value();
        primary.start(deadline).value();
        standby.clone(primary_spec, node::Flush::kLater, deadline).value();
        standby.start(deadline).value();
        node::require_standby(primary_spec, standby_spec.name, deadline).value();
    }

    void make_map(const std::map<NodeId, node::ServerSpec>& specs) {
        shardmap::Shard shard{.name = "s1", .primary = NodeId{1}, .standby = NodeId{2}, .standing = shardmap::Standing::kNamed};
        for (const auto& [id, spec] : specs) {
            shard.nodes.push_back({.id = id, .name = spec.name, .host = spec.host, .port = spec.port});
        }
        const auto map = shardmap::ShardMap::make(MapVersion{1}, {.name = "test", .id = "0"}, {shard}, {});
        store::create_map(*store_, **map, "test").value();
    }

    void stop(NodeId node) {
        asio::io_context context;
        auto stopped = asio::co_spawn(context, nodes_->stop(node, node::StopMode::kImmediate, Deadline::after(3s)), asio::use_future);
        context.run();
        stopped.get().has_value();
    }

    std::filesystem::path folder_;
    node::Children children_;
    node::Binaries binaries_;
    std::unique_ptr<node::LocalNodes> nodes_;
    std::unique_ptr<store::Store> store_;
};

/// Clients that insert one row after the other wherever the route points, and remember what they were told.
class Writers {
   public:
    explicit Writers(const Route& route, int count = 4) : route_(route) {
        for (int i = 0; i < count; ++i) threads_.emplace_back([this, i] { run(i); });
    }
    ~Writers() { stop(); }
    void stop() {
        stopping_ = true;
        for (std::thread& thread : threads_) {
            if (thread.joinable()) thread.join();
        }
    }
    std::size_t acknowledged() const {
        const std::lock_guard guard(mutex_);
        return told_.size();
    }
    /// The longest time without any acknowledgement.
    double longest_gap_seconds() const {
        const std::lock_guard guard(mutex_);
        return std::chrono::duration<double>(gap_).count();
    }
    /// Acknowledged rows that the primary does not have.
    std::size_t lost() const {
        auto sql = SupervisedShard::connect(route_.shard().primary_node(), 10s).value();
        const node::SqlRows rows = sql.run("SELECT n FROM ledger", Deadline::after(10s)).value();
        std::set<std::uint64_t> present;
        for (const auto& row : rows.rows) present.insert(std::stoull(*row[0]));
        const std::lock_guard guard(mutex_);
        std::size_t missing = 0;
        for (std::uint64_t n : told_) missing += present.count(n) == 0 ? 1 : 0;
        return missing;
    }

   private:
    void run(int writer) {
        for (std::uint64_t n = 0; !stopping_;) {
            auto sql = route_.serves() ? SupervisedShard::connect(route_.shard().primary_node(), 300ms)
                                       : Result<node::Sql>(Error{});
            if (!sql) {
                std::this_thread::sleep_for(2ms);
                continue;
            }
            const Epoch epoch = route_.shard().epoch;
            while (!stopping_ && route_.shard().epoch == epoch) {
                const std::uint64_t row = static_cast<std::uint64_t>(writer) << 40 | n++;
                if (!sql->run("INSERT INTO ledger VALUES (" + std::to_string(row) + ")", Deadline::after(500ms))) break;
                remember(row);
            }
        }
    }

    void remember(std::uint64_t row) {
        const std::lock_guard guard(mutex_);
        const auto now = Clock::now();
        if (!told_.empty()) gap_ = std::max(gap_, now - last_);
        last_ = now;
        told_.push_back(row);
    }

    const Route& route_;
    mutable std::mutex mutex_;
    std::vector<std::uint64_t> told_;
    Clock::time_point last_{};
    Clock::duration gap_{};
    std::atomic<bool> stopping_{false};
    std::vector<std::thread> threads_;
};

}  // namespace pgmosaic::testing

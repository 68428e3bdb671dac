#include "coordinator/server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "coordinator/background.h"
#include "coordinator/cluster.h"
#include "coordinator/console.h"
#include "coordinator/core.h"
#include "coordinator/deadlock/detector.h"
#include "coordinator/listener.h"
#include "coordinator/notify/notifier.h"
#include "coordinator/recovery.h"
#include "coordinator/session.h"
#include "coordinator/supervision.h"
#include "shardmap/store/map_store.h"

namespace pgmosaic::coordinator {

namespace {

/// How long statements that run may go on after SIGTERM.
constexpr Clock::duration kDrainTime = 3s;

shardmap::MapPointer must_load(store::Store& store) {
    auto map = store::load_map(store);
    if (!map) throw PgError(map.error());
    return *map;
}

}  // namespace

struct Server::State {
    State(ServerOptions given, LivePointer live, std::shared_ptr<store::Store> s, node::NodeControl* nodes)
        : options(std::move(given)), store(std::move(s)), cluster(options, std::move(live), must_load(*store)), listener(cluster), console(cluster) {
        int threads = options.threads;
        if (threads <= 0) threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
        for (int i = 0; i < threads; ++i) {
            cores.push_back(std::make_unique<Core>(cluster, i));
            cluster.add_core(cores.back().get());
        }
        recovery = std::make_unique<Recovery>(*cores.front());
        detector = std::make_unique<deadlock::Detector>(*cores.front());
        notifier = std::make_unique<notify::Notifier>(*cores.front());
        cluster.notifier = notifier.get();
        supervision = std::make_unique<Supervision>(cluster, store, nodes);
    }

    ServerOptions options;
    std::shared_ptr<store::Store> store;
    Cluster cluster;
    std::vector<std::unique_ptr<Core>> cores;
    Listener listener;
    Console console;
    std::unique_ptr<Recovery> recovery;
    std::unique_ptr<deadlock::Detector> detector;
    std::unique_ptr<notify::Notifier> notifier;
    std::unique_ptr<Supervision> supervision;
    std::mutex mutex;
    std::condition_variable changed;
    bool stopping = false;
};

Server::Server(ServerOptions options, LivePointer live, std::shared_ptr<store::Store> store, node::NodeControl* nodes)
    : state_(std::make_unique<State>(std::move(options), std::move(live), std::move(store), nodes)) {}

Server::~Server() = default;

Result<void> Server::listen() {
    Result<void> opened = state_->listener.open(state_->options.listen);
    return opened ? state_->console.open(state_->options.console) : opened;
}

namespace {

Task<> end_tasks(Core& core) {
    asio::steady_timer timer(core.executor());
    const Deadline deadline = Deadline::after(kDrainTime);
    for (Session* session : core.sessions()) session->shut_down();
    while (!core.sessions().empty() && !deadline.passed()) {
        timer.expires_after(20ms);
        co_await timer.async_wait(asio::use_awaitable);
    }
    core.tasks().stop();
    co_await core.tasks().join();
}

}  // namespace

void Server::run() {
    State& state = *state_;
    std::vector<std::thread> threads;
    std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards;
    for (auto& core : state.cores) guards.emplace_back(core->context().get_executor());
    asio::post(state.cores.front()->executor(), [&state] {
        state.listener.start();
        state.console.start();
        state.cores.front()->tasks().spawn(state.recovery->run());
        state.cores.front()->tasks().spawn(state.detector->run());
    });
    for (auto& core : state.cores) {
        threads.emplace_back([&context = core->context()] { context.run(); });
    }
    if (auto started = state.supervision->start(); !started) {
        spdlog::error("supervision not_started {}", log_field("error", started.error().message));
    }
    spdlog::info("endpoint listening {} threads={}", log_field("address", state.options.listen.front()), state.cores.size());
    {
        std::unique_lock lock(state.mutex);
        state.changed.wait(lock, [&state] { return state.stopping; });
    }
    // No new clients, then the sessions, then the supervision, so that a failover in between still serves the last statements.
    asio::post(state.cores.front()->executor(), [&state] {
        state.listener.close();
        state.console.close();
    });
    std::vector<std::unique_ptr<TaskGroup>> enders;
    for (auto& core : state.cores) {
        enders.push_back(std::make_unique<TaskGroup>(core->executor()));
        asio::post(core->executor(), [&core, &ender = *enders.back()] { ender.spawn(end_tasks(*core)); });
    }
    guards.clear();
    for (std::thread& thread : threads) thread.join();
    state.supervision->stop();
    Background::stop();
}

void Server::use_live(LivePointer live) {
    const bool automatic = live->automatic_failover;
    const bool changes = automatic != state_->cluster.live()->automatic_failover;
    state_->cluster.use_live(std::move(live));
    if (changes && state_->cluster.set_automatic_failover) state_->cluster.set_automatic_failover(automatic);
}

void Server::stop() {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
}

}  // namespace pgmosaic::coordinator

#include "cli/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "cli/config.h"
#include "cli/endpoint.h"
#include "cli/full_disk.h"
#include "cli/ports.h"
#include "cli/provision.h"
#include "cli/reload.h"
#include "cli/signals.h"
#include "replication/node/files.h"
#include "replication/node/local_nodes.h"
#include "shardmap/store/map_store.h"
#include "shardmap/store/sqlite_store.h"

namespace pgmosaic::cli {

namespace {

// The endpoint gives running statements 3 s; a server that is just being cloned may hold it up longer.
constexpr auto kEndpointStopTimeout = 20s;
constexpr std::uint16_t kFirstEndpointPort = 6432;
constexpr std::uint16_t kFirstServerPort = 7001;
constexpr std::uint16_t kFirstWorkbenchPort = 7100;

std::string boot_of_machine() {
    const std::string id = node::read_text("/proc/sys/kernel/random/boot_id");
    return id.substr(0, id.find('\n'));
}

Error conflict(std::string message, std::string hint = {}) {
    return Error{.code = sqlstate::kDuplicateObject, .message = std::move(message), .hint = std::move(hint)};
}

std::string endpoint_config(const Layout& layout, const ClusterFile& cluster, std::uint16_t port, std::uint16_t console) {
    const std::string socket = layout.has_sockets() ? ", \"unix:" + layout.sockets() + "\"" : "";
    std::string workbench;
    for (const LocalServer& server : cluster.servers) {
        if (server.shard.empty()) workbench = "127.0.0.1:" + std::to_string(server.port);
    }
    return "# Written by `pgmosaic up` when it made this directory; yours from then on. `pgmosaic init` prints a file with\n"
           "# every setting, `pgmosaic check` names what is wrong.\n"
           "version: 1\n"
           "cluster: " + cluster.name + "\n"
           "listen:  { postgres: [\"127.0.0.1:" + std::to_string(port) + "\"" + socket + "]" +
           (console == 0 ? "" : ", console: \"127.0.0.1:" + std::to_string(console) + "\"") + " }\n"
           "auth:    [ { from: local, users: all, method: trust } ]\n"
           "store:   { kind: sqlite, path: state/map.db }\n"
           "servers: { user: postgres }\n"
           "workbench: \"" + workbench + "\"\n";
}

/// One life of the daemon, step by step; each returns what is to be told to whoever started it.
class Daemon {
   public:
    Daemon(const UpOptions& options, const Layout& layout, Reporter& reporter)
        : options_(options), layout_(layout), reporter_(reporter) {}

    Result<void> prepare();
    Result<void> bring_up();
    /// Returns when somebody asked for the end.
    void serve();
    Result<void> shut_down();
    void ask_to_stop();
    void reload();
    /// Ends the process if the endpoint does not: `down` must work whatever holds the endpoint up, and stops the
    /// servers itself when the daemon is gone.
    void insist(Deadline deadline) const;
    Result<void> listen();

   private:
    Result<void> read_or_begin();
    Result<void> begin();
    Result<void> read_config();
    Result<void> discard_unflushed();
    Result<void> open_store();
    Result<void> complete();
    Result<std::uint16_t> choose_endpoint_port();
    int workbench_pid() const;

    const UpOptions& options_;
    const Layout& layout_;
    Reporter& reporter_;
    DaemonLock lock_;
    ClusterFile cluster_;
    Config config_;
    Ports ports_;
    node::Binaries binaries_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> serving_{false};
    std::unique_ptr<node::Children> children_;
    std::unique_ptr<Provision> provision_;
    std::shared_ptr<store::Store> store_;  // the endpoint is the last to let go of it
    shardmap::MapPointer map_;
    std::unique_ptr<node::LocalNodes> nodes_;
    std::mutex endpoint_mutex_;
    std::unique_ptr<Endpoint> endpoint_;
};

Result<void> Daemon::prepare() {
    Result<DaemonLock> lock = DaemonLock::take(layout_);
    if (!lock) return lock.error();
    lock_ = std::move(*lock);
    const Result<node::Binaries> binaries = node::find_binaries();
    if (!binaries) return binaries.error();
    binaries_ = *binaries;
    if (Result<void> known = read_or_begin(); !known) return known;
    for (const std::string& directory : {layout_.nodes(), layout_.store_directory()}) {
        if (Result<void> made = node::make_directory(directory); !made) return made;
    }
    if (Result<void> made = node::make_directory(layout_.sockets(), 0755); !made) return made;
    return read_config();
}

Result<void> Daemon::read_or_begin() {
    if (look_into(layout_) != Holds::kCluster) return begin();
    Result<ClusterFile> cluster = cluster_from_json(node::read_text(layout_.cluster_file()));
    if (!cluster) return cluster.error();
    cluster_ = std::move(*cluster);
    if (Result<void> same = check_wishes(options_, layout_, cluster_); !same) return same;
    return cluster_.complete ? Result<void>{} : discard_unflushed();
}

Result<void> Daemon::begin() {
    cluster_ = new_cluster(options_.shards.value_or(4), !options_.no_standby);
    cluster_.boot = boot_of_machine();
    for (LocalServer& server : cluster_.servers) {
        const Result<std::uint16_t> port = ports_.keep_next(server.shard.empty() ? kFirstWorkbenchPort : kFirstServerPort);
        if (!port) return port.error();
        server.port = *port;
    }
    const Result<std::uint16_t> port = choose_endpoint_port();
    if (!port) return port.error();
    // The configuration first: cluster.json says that everything it needs is there.
    const Result<void> written = node::write_text(layout_.config_file(), endpoint_config(layout_, cluster_, *port, options_.console), 0644);
    return written ? node::write_text(layout_.cluster_file(), to_json(cluster_), 0644) : written;
}

Result<std::uint16_t> Daemon::choose_endpoint_port() {
    if (!options_.port) return ports_.keep_next(kFirstEndpointPort);
    if (!is_port_used(*options_.port)) return *options_.port;
    return conflict("port " + std::to_string(*options_.port) + " is in use",
                    "Name another one with --port, or leave it out: then a free one is chosen.");
}

/// What was begun before the machine went down may be half on the disk without anybody knowing: away with it.
Result<void> Daemon::discard_unflushed() {
    if (cluster_.boot == boot_of_machine()) return {};
    reporter_.progress("the machine was restarted before the cluster was complete: beginning anew");
    for (const std::string& directory : {layout_.nodes(), layout_.store_directory()}) {
        if (Result<void> gone = node::remove_tree(directory); !gone) return gone;
    }
    cluster_.boot = boot_of_machine();
    return node::write_text(layout_.cluster_file(), to_json(cluster_), 0644);
}

Result<void> Daemon::read_config() {
    ConfigCheck check = check_config_file(layout_.config_file());
    if (!check.problems.empty()) {
        return Error{.code = sqlstate::kConfigFileError, .message = "the configuration has errors",
                     .detail = "\n" + render_problems(check, layout_.config_file())};
    }
    config_ = std::move(check.config);
    const EndpointAddress address = endpoint_address(config_);
    if (address.port != 0 && is_port_used(address.port)) {
        return conflict("port " + std::to_string(address.port) + " of the endpoint is used by another program",
                        "End that program, or change listen.postgres in \"" + layout_.config_file() + "\".");
    }
    return {};
}

Result<void> Daemon::bring_up() {
    children_ = std::make_unique<node::Children>();
    provision_ = std::make_unique<Provision>(layout_, cluster_, binaries_, *children_, stopping_,
                                             [this](const std::string& line) { reporter_.progress(line); });
    if (!cluster_.complete) {
        reporter_.progress("making " + std::to_string(cluster_.shard_count()) + " shards in " + layout_.root);
        if (Result<void> made = provision_->make(); !made) return made;
    }
    if (Result<void> opened = open_store(); !opened) return opened;
    return cluster_.complete ? provision_->start(*map_) : complete();
}

Result<void> Daemon::open_store() {
    Result<std::unique_ptr<store::SqliteStore>> opened = store::SqliteStore::open(config_.store_path);
    if (!opened) return opened.error();
    store_ = std::move(*opened);
    const Result<bool> has_map = store::has_map(*store_);
    if (!has_map) return has_map.error();
    if (!*has_map) {
        if (cluster_.complete) {
            return Error{.code = sqlstate::kObjectNotInPrerequisiteState,
                         .message = "the store \"" + config_.store_path + "\" is empty, but the cluster was complete",
                         .detail = "Who owns which rows is not known without it.",
                         .hint = "Bring back the file from a copy."};
        }
        const Result<shardmap::MapPointer> first = first_map(layout_, cluster_);
        if (!first) return first.error();
        if (Result<shardmap::MapPointer> made = store::create_map(*store_, **first, "pgmosaic up"); !made) return made.error();
    }
    Result<shardmap::MapPointer> map = store::load_map(*store_);
    if (!map) return map.error();
    map_ = std::move(*map);
    if (map_->cluster().id == cluster_.id) return {};
    return Error{.code = sqlstate::kObjectNotInPrerequisiteState,
                 .message = "the store \"" + config_.store_path + "\" belongs to another cluster"};
}

Result<void> Daemon::complete() {
    if (Result<void> flushed = node::sync_file_system(layout_.root); !flushed) return flushed;
    cluster_.complete = true;
    return node::write_text(layout_.cluster_file(), to_json(cluster_), 0644);
}

Result<void> Daemon::listen() {
    std::map<NodeId, node::ServerSpec> specs;
    for (const LocalServer& server : cluster_.servers) {
        if (!server.shard.empty()) specs.emplace(server.node, layout_.server(server));
    }
    nodes_ = std::make_unique<node::LocalNodes>(specs, binaries_, *children_);
    const EndpointAddress address = endpoint_address(config_);
    ports_.release(address.port);
    const std::lock_guard lock(endpoint_mutex_);
    Result<std::unique_ptr<Endpoint>> made = Endpoint::make(
        config_, store_,
        {.nodes = nodes_.get(), .workbench_pid = workbench_pid(), .socket_directory = layout_.has_sockets() ? layout_.sockets() : ""});
    if (!made) return made.error();
    endpoint_ = std::move(*made);
    if (Result<void> listening = endpoint_->listen(); !listening) return listening;
    spdlog::info("cli listening {} {}", log_field("host", address.host), log_field("port", std::to_string(address.port)));
    return {};
}

int Daemon::workbench_pid() const { return provision_->server("workbench").pid().value_or(0); }

void Daemon::serve() {
    serving_ = true;
    if (!stopping_) endpoint_->run();
    serving_ = false;
}

void Daemon::ask_to_stop() {
    stopping_ = true;
    const std::lock_guard lock(endpoint_mutex_);
    if (endpoint_) endpoint_->stop();
}

void Daemon::reload() {
    const std::lock_guard lock(endpoint_mutex_);
    if (endpoint_) reload_config(config_, *endpoint_);
}

void Daemon::insist(Deadline deadline) const {
    while (serving_ && !deadline.passed()) std::this_thread::sleep_for(20ms);
    if (!serving_) return;
    spdlog::critical("cli endpoint_does_not_end action=exit");
    _exit(static_cast<int>(ExitCode::kFailed));
}

Result<void> Daemon::shut_down() {
    {
        const std::lock_guard lock(endpoint_mutex_);
        endpoint_.reset();
    }
    nodes_.reset();
    if (!provision_) return {};
    Result<shardmap::MapPointer> map = store_ ? store::load_map(*store_) : Result<shardmap::MapPointer>(map_);
    return provision_->stop(map && *map ? map->get() : nullptr);
}

void open_log_file(const Layout& layout, bool foreground) {
    if (!foreground) {
        const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        const int log = open(layout.log_file().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        dup2(nothing, STDIN_FILENO);
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
        close(nothing);
        close(log);
    }
    open_log("info");
}

Result<void> enter(const Layout& layout, const Account& account, bool foreground) {
    umask(0022);
    if (Result<void> changed = become(account); !changed) return changed;
    if (Result<void> reachable = check_reachable(layout); !reachable) return reachable;
    if (chdir("/") != 0) return Error{.code = sqlstate::kIoError, .message = "could not enter \"/\""};
    if (Result<void> made = node::make_directory(layout.logs(), 0755); !made) return made;
    open_log_file(layout, foreground);
    return {};
}

}  // namespace

Result<void> check_wishes(const UpOptions& options, const Layout& layout, const ClusterFile& cluster) {
    const std::string where = "the cluster in \"" + layout.root + "\" ";
    if (options.shards && *options.shards != cluster.shard_count()) {
        return conflict(where + "has " + std::to_string(cluster.shard_count()) + " shards, not " + std::to_string(*options.shards));
    }
    if (options.no_standby && cluster.has_standbys()) return conflict(where + "has standbys");
    const ConfigCheck check = check_config_file(layout.config_file());
    const std::uint16_t port = endpoint_address(check.config).port;
    if (options.port && check.problems.empty() && *options.port != port) {
        return conflict(where + "has port " + std::to_string(port) + ", not " + std::to_string(*options.port),
                        "Change listen.postgres in \"" + layout.config_file() + "\".");
    }
    return {};
}

ExitCode run_daemon(const UpOptions& options, const Layout& layout, const Account& account, Reporter& reporter) {
    const auto report = [&](const Error& error) {
        reporter.failed(error, exit_code_of(error));
        return exit_code_of(error);
    };
    if (Result<void> entered = enter(layout, account, options.foreground); !entered) return report(entered.error());
    Daemon daemon(options, layout, reporter);
    const Signals signals([&daemon](int number) {
        if (number == SIGHUP) return daemon.reload();
        spdlog::info("cli stopping {}", log_field("signal", number == SIGINT ? "INT" : "TERM"));
        daemon.ask_to_stop();
        daemon.insist(Deadline::after(kEndpointStopTimeout));
    });
    Result<void> running = daemon.prepare();
    if (running) running = daemon.bring_up();
    if (running) running = daemon.listen();
    if (running) {
        reporter.ready();
        daemon.serve();
    }
    // Asked before the servers stop and give room back.
    if (!running) running = explain_full_disk(running.error(), free_bytes(layout.root));
    const Result<void> stopped = daemon.shut_down();
    if (running) running = stopped;
    if (!running) {
        const Error& error = running.error();
        spdlog::error("cli failed {} {}", log_field("message", error.message), log_field("detail", error.detail));
        return report(error);
    }
    spdlog::info("cli stopped");
    return ExitCode::kDone;
}

}  // namespace pgmosaic::cli

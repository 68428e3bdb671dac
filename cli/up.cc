#include "cli/up.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <set>
#include <thread>

#include "cli/config.h"
#include "cli/endpoint.h"
#include "cli/progress_bar.h"
#include "cli/provision.h"
#include "cli/sample.h"
#include "replication/node/files.h"
#include "replication/node/sql.h"

namespace pgmosaic::cli {

namespace {

// A daemon that recovers transactions first may listen a while before it answers.
constexpr auto kAnswerTimeout = 60s;
// Standby and primary of a shard may take 30 s each; then the daemon is no longer waited for.
constexpr auto kDownTimeout = 90s;
constexpr auto kEndTimeout = 3s;

Result<void> wait_for_answer(const Layout& layout) {
    const ConfigCheck check = check_config_file(layout.config_file());
    const EndpointAddress address = endpoint_address(check.config);
    const Deadline deadline = Deadline::after(kAnswerTimeout);
    Error last{.code = sqlstate::kQueryCanceled, .message = "the endpoint does not answer"};
    while (!deadline.passed()) {
        Result<node::Sql> sql = node::Sql::connect(endpoint_conninfo(address, "app", "app"), deadline);
        Result<node::SqlRows> answer = sql ? sql->run("SELECT 1", deadline) : Result<node::SqlRows>(sql.error());
        if (answer) {
            std::cerr << "ready: psql -h " << address.host << " -p " << address.port << " -U app app\n";
            return {};
        }
        last = answer.error();
        if (!running_daemon(layout)) break;
        std::this_thread::sleep_for(20ms);
    }
    last.hint = "The daemon's log is \"" + layout.log_file() + "\".";
    return last;
}

ExitCode exit_code(const Result<void>& result) { return result ? ExitCode::kDone : fail(result.error()); }

ExitCode fill_sample(const Layout& layout, const std::string& name) {
    const EndpointAddress address = endpoint_address(check_config_file(layout.config_file()).config);
    ProgressBar bar;
    const Result<void> loaded =
        load_sample(endpoint_conninfo(address, "app", "app"), SampleOptions{.name = name},
                    [&bar](std::string_view table, std::uint64_t done, std::uint64_t total) { bar.show(table, done, total); });
    bar.finish();
    return loaded ? ExitCode::kDone : fail(loaded.error());
}

/// The daemon as a process of its own, in no terminal's session; what it says comes through the pipe.
ExitCode start_daemon(const UpOptions& options, const Layout& layout, const Account& account) {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) return fail(Error{.code = sqlstate::kIoError, .message = "could not make a pipe"});
    const pid_t child = fork();
    if (child < 0) return fail(Error{.code = sqlstate::kIoError, .message = "could not start the daemon"});
    if (child == 0) {
        close(pipe_ends[0]);
        setsid();
        ExitCode code = ExitCode::kFailed;
        {
            Reporter reporter(pipe_ends[1]);
            code = run_daemon(options, layout, account, reporter);
        }
        _exit(static_cast<int>(code));
    }
    close(pipe_ends[1]);
    const Outcome outcome = follow(pipe_ends[0], layout.log_file());
    if (outcome.ready) return exit_code(wait_for_answer(layout));
    waitpid(child, nullptr, 0);
    return outcome.code;
}

/// Nothing: the daemon was about to end when it was found, and another is to be started.
std::optional<ExitCode> check_running(const UpOptions& options, const Layout& layout, pid_t daemon) {
    const Result<ClusterFile> cluster = cluster_from_json(node::read_text(layout.cluster_file()));
    if (cluster) {
        if (Result<void> same = check_wishes(options, layout, *cluster); !same) return fail(same.error());
    }
    std::cerr << "already running (pid " << daemon << ")\n";
    const Result<void> answers = wait_for_answer(layout);
    if (!answers && !running_daemon(layout)) return std::nullopt;
    return exit_code(answers);
}

/// Servers whose daemon was killed.
Result<void> stop_servers(const Layout& layout) {
    const Result<ClusterFile> cluster = cluster_from_json(node::read_text(layout.cluster_file()));
    if (!cluster) return cluster.error();
    node::Children children;
    const std::atomic<bool> stopping{false};
    Provision provision(layout, *cluster, node::Binaries{}, children, stopping,
                        [](const std::string& line) { std::cerr << line << '\n'; });
    return provision.stop(nullptr);
}

/// The lock goes a moment before the process does. A zombie that nobody reaps is not waited for long.
void wait_for_end(pid_t daemon) {
    const Deadline deadline = Deadline::after(kEndTimeout);
    const std::string process = "/proc/" + std::to_string(daemon);
    std::error_code unknown;
    while (std::filesystem::exists(process, unknown) && !deadline.passed()) std::this_thread::sleep_for(5ms);
}

Result<void> stop_daemon(const Layout& layout, pid_t daemon) {
    if (kill(daemon, SIGTERM) != 0 && errno == EPERM) {
        return Error{.code = sqlstate::kInsufficientPrivilege, .message = "process " + std::to_string(daemon) +
                                                                          " of the cluster belongs to another user"};
    }
    const Deadline deadline = Deadline::after(kDownTimeout);
    while (running_daemon(layout)) {
        if (deadline.passed()) {
            return Error{.code = sqlstate::kQueryCanceled, .message = "the cluster did not stop in time; it goes on stopping",
                         .hint = "Its log is \"" + layout.log_file() + "\"."};
        }
        std::this_thread::sleep_for(10ms);
    }
    wait_for_end(daemon);
    return {};
}

ExitCode bring_cluster_up(const UpOptions& options, const Layout& layout, const Account& account) {
    if (const std::optional<pid_t> daemon = running_daemon(layout)) {
        if (const std::optional<ExitCode> code = check_running(options, layout, *daemon)) return *code;
    }
    if (!options.foreground) return start_daemon(options, layout, account);
    Reporter terminal(-1);
    return run_daemon(options, layout, account, terminal);
}

}  // namespace

ExitCode up(const UpOptions& options) {
    const Layout layout = layout_of(options.directory);
    const Result<Account> account = server_account(options.user);
    if (!account) return fail(account.error());
    std::error_code unknown;
    const bool is_new = !std::filesystem::exists(layout.root, unknown);
    if (Result<void> claimed = claim_directory(layout, *account); !claimed) return fail(claimed.error());
    const ExitCode code = bring_cluster_up(options, layout, *account);
    // A directory in which nothing was decided yet is not left behind.
    if (code != ExitCode::kDone && is_new && look_into(layout) != Holds::kCluster) node::remove_tree(layout.root).has_value();
    if (code != ExitCode::kDone || options.sample.empty() || options.foreground) return code;
    return fill_sample(layout, options.sample);
}

ExitCode down(const std::string& directory, bool destroy, bool dry_run) {
    const Layout layout = layout_of(directory);
    const Holds holds = look_into(layout);
    if (holds == Holds::kSomethingElse) {
        return fail(Error{.code = sqlstate::kInsufficientPrivilege,
                          .message = "\"" + layout.root + "\" holds no cluster of pgmosaic"});
    }
    std::error_code unknown;
    if (holds == Holds::kNothing && !std::filesystem::exists(layout.root, unknown)) {
        return fail(Error{.code = sqlstate::kUndefinedObject, .message = "there is no cluster in \"" + layout.root + "\""});
    }
    const std::optional<pid_t> daemon = running_daemon(layout);
    if (dry_run) {
        std::cout << (daemon ? "would stop process " + std::to_string(*daemon) + " and its servers" : "no daemon is running")
                  << (destroy ? "; would remove " + layout.root : "") << '\n';
        return ExitCode::kDone;
    }
    Result<void> stopped;
    if (daemon) stopped = stop_daemon(layout, *daemon);
    if (stopped && holds == Holds::kCluster) stopped = stop_servers(layout);
    if (stopped && destroy) stopped = node::remove_tree(layout.root);
    return stopped ? ExitCode::kDone : fail(stopped.error());
}

}  // namespace pgmosaic::cli

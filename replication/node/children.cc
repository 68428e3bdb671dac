#include "replication/node/children.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "replication/node/files.h"
#include "replication/node/internal/system_error.h"

namespace pgmosaic::node {

namespace {

constexpr auto kReapInterval = 100ms;  // for orphans and for servers that nobody is just waiting for
constexpr auto kWaitInterval = 3ms;

/// Runs between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(char* const* arguments, int log, bool outlives_us, pid_t parent) {
    setsid();  // ^C in a terminal is for pgmosaic, which then stops servers in order
    if (!outlives_us) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(127);
    }
    const int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    // Not all that a library opens is closed on exec; a server must not hold a client's socket.
    close_range(3, ~0U, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD}) signal(number, SIG_DFL);
    execv(arguments[0], arguments);
    _exit(127);
}

}  // namespace

Children::Children() {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    reaper_ = std::thread([this] { reap_in_background(); });
}

Children::~Children() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    reaper_.join();
}

Result<pid_t> Children::spawn(const Command& command) {
    std::vector<char*> arguments;
    for (const std::string& argument : command.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const int log = open(command.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) return system_error("open log file", command.log_file, errno);
    const pid_t parent = getpid();
    const std::lock_guard lock(mutex_);  // its status must not be reaped before it is known
    const pid_t pid = fork();
    if (pid == 0) become(arguments.data(), log, command.outlives_us, parent);
    const int failure = errno;
    close(log);
    if (pid < 0) return system_error("start", command.arguments[0], failure);
    started_[pid] = std::nullopt;
    return pid;
}

std::optional<int> Children::exited(pid_t pid) {
    reap();
    const std::lock_guard lock(mutex_);
    const auto child = started_.find(pid);
    if (child == started_.end() || !child->second) return std::nullopt;
    const std::optional<int> status = child->second;
    started_.erase(child);
    return status;
}

std::optional<int> Children::wait(pid_t pid, Deadline deadline) {
    while (true) {
        if (const std::optional<int> status = exited(pid)) return status;
        if (deadline.passed()) return std::nullopt;
        std::this_thread::sleep_for(kWaitInterval);
    }
}

void Children::reap() {
    const std::lock_guard lock(mutex_);
    int status = 0;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        const auto child = started_.find(pid);
        if (child != started_.end()) child->second = status;
    }
}

void Children::reap_in_background() {
    while (true) {
        reap();
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) return;
        }
        std::this_thread::sleep_for(kReapInterval);
    }
}

Result<void> run_tool(Children& children, const Command& command, Deadline deadline) {
    const std::uint64_t begin = file_size(command.log_file);
    const Result<pid_t> pid = children.spawn(command);
    if (!pid) return pid.error();
    const std::string name = std::filesystem::path(command.arguments[0]).filename();
    const std::optional<int> status = children.wait(*pid, deadline);
    if (!status) {
        kill(-*pid, SIGKILL);  // its session: itself and what it started
        children.wait(*pid, Deadline::after(10s));
        return Error{.code = sqlstate::kQueryCanceled, .message = "\"" + name + "\" did not end in time",
                     .detail = log_tail(command.log_file, begin)};
    }
    if (*status == 0) return {};
    const std::string how = WIFSIGNALED(*status) ? " was ended by signal " + std::to_string(WTERMSIG(*status))
                                                 : " failed with exit code " + std::to_string(WEXITSTATUS(*status));
    return program_error("\"" + name + "\"" + how, log_tail(command.log_file, begin));
}

}  // namespace pgmosaic::node

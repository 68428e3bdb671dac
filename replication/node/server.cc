#include "replication/node/server.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <thread>
#include <vector>

#include "replication/node/files.h"
#include "replication/node/internal/proc.h"
#include "replication/node/internal/system_error.h"
#include "replication/node/sql.h"

namespace pgmosaic::node {

namespace {

namespace fs = std::filesystem;

constexpr auto kPollInterval = 5ms;
// Of a data directory that has just been made: 40 MB.
constexpr auto kCopyMax = 60s;
constexpr auto kRetryInterval = 100ms;
constexpr std::string_view kFreshPrefix = "data.new.";

/// postmaster.pid, as far as it is of use here.
struct PidFile {
    pid_t pid = 0;
    std::string status{};  ///< "starting", "ready", "standby", "stopping"
};

PidFile read_pid_file(const std::string& data) {
    std::istringstream lines(read_text(data + "/postmaster.pid"));
    PidFile file;
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        if (number == 1) file.pid = std::atoi(line.c_str());
        if (number == 8) file.status = line.substr(0, line.find(' '));
    }
    return file;
}

void pause(Clock::duration length) { std::this_thread::sleep_for(length); }

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// Waits a moment for the reaper, so that a directory is removed only when nobody writes to it any longer.
void end_processes_in(const std::string& directory) {
    std::error_code failure;
    const std::string real = fs::canonical(directory, failure);
    if (failure) return;
    const Deadline deadline = Deadline::after(5s);
    for (std::vector<pid_t> left = processes_in(real); !left.empty() && !deadline.passed(); left = processes_in(real)) {
        for (pid_t pid : left) kill(pid, SIGKILL);
        pause(kPollInterval);
    }
}

Result<void> discard(const std::string& directory) {
    end_processes_in(directory);
    return remove_tree(directory);
}

}  // namespace

Server::Server(ServerSpec spec, Binaries binaries, Children& children)
    : spec_(std::move(spec)), binaries_(std::move(binaries)), children_(children) {}

std::string Server::real_data() const {
    std::error_code failure;
    const fs::path real = fs::canonical(spec_.data_directory(), failure);
    return failure ? "" : real.string();
}

bool Server::has_data() const {
    return access((spec_.data_directory() + "/global/pg_control").c_str(), F_OK) == 0 &&
           access(rewind_mark().c_str(), F_OK) != 0;
}

bool Server::is_standby() const { return access((spec_.data_directory() + "/standby.signal").c_str(), F_OK) == 0; }

// ---------------------------------------------------------------- data directories

/// A name that no earlier life of ours can still be writing to; what earlier lives left is removed.
Result<std::string> Server::fresh_directory() const {
    if (Result<void> made = make_directory(spec_.directory); !made) return made.error();
    std::error_code failure;
    for (const auto& entry : fs::directory_iterator(spec_.directory, failure)) {
        const std::string name = entry.path().filename();
        if (name.rfind(kFreshPrefix, 0) != 0) continue;
        if (Result<void> gone = discard(entry.path()); !gone) return gone.error();
    }
    return spec_.directory + "/" + std::string(kFreshPrefix) + std::to_string(getpid());
}

Result<void> Server::replace_data(const std::string& fresh) const {
    if (Result<void> gone = discard(spec_.data_directory()); !gone) return gone;
    if (Result<void> renamed = rename_durably(fresh, spec_.data_directory()); !renamed) return renamed;
    return remove_tree(rewind_mark());
}

Result<void> Server::initialize(Deadline deadline) {
    const Result<std::string> fresh = fresh_directory();
    if (!fresh) return fresh.error();
    // Collation C makes ORDER BY of the shards mergeable by bytes; character types are Unicode's all the same.
    const Command initdb{.arguments = {binaries_.program("initdb"), "-D", *fresh, "-U", spec_.superuser, "-A", "trust",
                                       "-E", "UTF8", "--lc-collate=C", "--lc-ctype=C.UTF-8", "--lc-messages=C",
                                       "--lc-monetary=C", "--lc-numeric=C", "--lc-time=C", "--no-sync",
                                       "--no-instructions"},
                         .log_file = tool_log()};
    if (Result<void> made = run_tool(children_, initdb, deadline); !made) {
        discard(*fresh).has_value();
        return made;
    }
    return replace_data(*fresh);
}

Result<void> Server::clone(const ServerSpec& primary, Flush flush, Deadline deadline) {
    if (Result<void> slot = ensure_slot(primary, spec_.name, deadline); !slot) return slot;
    const Result<std::string> fresh = fresh_directory();
    if (!fresh) return fresh.error();
    const Command backup{.arguments = {binaries_.program("pg_basebackup"), "-D", *fresh, "-d",
                                       conninfo(primary, "postgres", "pgmosaic-clone"), "-X", "stream", "-S", spec_.name,
                                       "-c", "fast", "--no-sync", "--no-manifest", "-w"},
                         .log_file = tool_log()};
    Result<void> made = run_tool(children_, backup, deadline);
    if (made) made = become_standby_of(*fresh, primary);
    if (made && flush == Flush::kNow) made = sync_file_system(*fresh);
    if (!made) {
        discard(*fresh).has_value();
        return made;
    }
    return replace_data(*fresh);
}

Result<void> Server::copy_new(const ServerSpec& primary) {
    const Result<std::string> fresh = fresh_directory();
    if (!fresh) return fresh.error();
    // The standard library's copy calls every failure an input/output error, also a full disk.
    const Command copy{.arguments = {"/bin/cp", "-RT", primary.data_directory(), *fresh}, .log_file = tool_log()};
    Result<void> made = run_tool(children_, copy, Deadline::after(kCopyMax));
    std::error_code ignored;
    if (made) fs::permissions(*fresh, fs::perms::owner_all, ignored);
    if (made) made = become_standby_of(*fresh, primary);
    if (!made) {
        discard(*fresh).has_value();
        return made;
    }
    return replace_data(*fresh);
}

Result<void> Server::rewind(const ServerSpec& primary, Deadline deadline) {
    if (Result<void> files = write_files(); !files) return files;
    remove_stale_locks();
    if (Result<void> marked = write_text(rewind_mark(), "of " + primary.name + "\n"); !marked) return marked;
    const Command rewind{.arguments = {binaries_.program("pg_rewind"), "--target-pgdata=" + spec_.data_directory(),
                                       "--source-server=" + conninfo(primary, "postgres", "pgmosaic-rewind"),
                                       "--config-file=" + settings_file(), "--no-sync"},
                         .log_file = tool_log()};
    if (Result<void> done = run_tool(children_, rewind, deadline); !done) return done;
    if (Result<void> done = become_standby_of(spec_.data_directory(), primary); !done) return done;
    if (Result<void> done = sync_file_system(spec_.data_directory()); !done) return done;
    return remove_tree(rewind_mark());
}

Result<void> Server::become_standby_of(const std::string& data, const ServerSpec& primary) const {
    Result<void> written = write_text(data + "/postgresql.auto.conf", standby_settings(spec_, primary));
    if (written) written = write_text(data + "/standby.signal", "");
    return written;
}

Result<void> Server::write_files() const {
    Result<void> written = write_text(settings_file(), server_settings(spec_));
    if (written) written = write_text(spec_.directory + "/pg_hba.conf", access_rules());
    return written;
}

// ---------------------------------------------------------------- start

Result<void> Server::start(Deadline deadline) {
    if (!has_data()) {
        return Error{.code = sqlstate::kObjectNotInPrerequisiteState,
                     .message = "server \"" + spec_.name + "\" has no complete data directory"};
    }
    if (const std::optional<pid_t> running = pid()) return wait_ready(*running, file_size(spec_.log_file), deadline);
    if (Result<void> files = write_files(); !files) return files;
    while (true) {
        remove_stale_locks();
        const std::uint64_t log_begin = file_size(spec_.log_file);
        const Result<pid_t> pid =
            children_.spawn(Command{.arguments = {binaries_.program("postgres"), "-D", spec_.data_directory(), "-c",
                                                  "config_file=" + settings_file()},
                                    .log_file = spec_.log_file,
                                    .outlives_us = true});
        if (!pid) return pid.error();
        const Result<void> ready = wait_ready(*pid, log_begin, deadline);
        // 55006: a killed server's processes or lock files are not gone yet.
        if (ready || ready.error().code != sqlstate::kObjectInUse || deadline.passed()) return ready;
        pause(kRetryInterval);
    }
}

Result<void> Server::wait_ready(pid_t pid, std::uint64_t log_begin, Deadline deadline) {
    while (true) {
        const PidFile file = read_pid_file(spec_.data_directory());
        const bool open = file.pid == pid && (file.status == "ready" || file.status == "standby");
        if (open) {
            Result<Sql> sql = Sql::connect(conninfo(spec_), deadline);
            if (sql && sql->run("SELECT 1", deadline)) return {};
        }
        if (children_.exited(pid) || !is_alive(pid)) return start_failure(log_tail(spec_.log_file, log_begin));
        if (deadline.passed()) {
            return Error{.code = sqlstate::kCannotConnectNow,
                         .message = "server \"" + spec_.name + "\" did not become ready in time",
                         .detail = log_tail(spec_.log_file, log_begin),
                         .hint = "It goes on starting; its log is \"" + spec_.log_file + "\"."};
        }
        pause(kPollInterval);
    }
}

Error Server::start_failure(const std::string& words) const {
    if (contains(words, "Address already in use")) {
        return Error{.code = sqlstate::kDuplicateObject,
                     .message = "port " + std::to_string(spec_.port) + " of server \"" + spec_.name +
                                "\" is used by another program",
                     .detail = words};
    }
    const bool lingers = (contains(words, "lock file") && contains(words, "already exists")) ||
                         contains(words, "is still in use");
    Error error = program_error("server \"" + spec_.name + "\" did not start", words);
    if (lingers) error.code = sqlstate::kObjectInUse;
    error.hint += (error.hint.empty() ? "" : " ") + ("Its log is \"" + spec_.log_file + "\".");
    return error;
}

/// PostgreSQL takes a zombie for a living postmaster and refuses to start (CreateLockFile asks kill(pid, 0)). The
/// files go only when no process works in the data directory.
void Server::remove_stale_locks() const {
    const std::string data = real_data();
    const PidFile file = read_pid_file(spec_.data_directory());
    if (data.empty() || file.pid == 0 || is_alive(file.pid) || !processes_in(data).empty()) return;
    unlink((data + "/postmaster.pid").c_str());
    if (spec_.socket_directory.empty()) return;
    const std::string socket = spec_.socket_directory + "/.s.PGSQL." + std::to_string(spec_.port);
    if (std::atoi(read_text(socket + ".lock").c_str()) != file.pid) return;
    unlink(socket.c_str());
    unlink((socket + ".lock").c_str());
}

// ---------------------------------------------------------------- stop

Result<void> Server::stop(StopMode mode, Deadline deadline) {
    const auto send = [this](int signal) {
        if (const std::optional<pid_t> running = pid()) kill(*running, signal);
    };
    if (mode == StopMode::kFast) {
        send(SIGINT);
        if (wait_gone(Deadline{Clock::now() + deadline.left() / 2})) return {};
    }
    if (mode != StopMode::kKill) {
        send(SIGQUIT);
        if (wait_gone(deadline)) return {};
    }
    send(SIGKILL);
    end_processes_in(spec_.data_directory());
    if (wait_gone(Deadline::after(5s))) return {};
    return Error{.code = sqlstate::kCannotConnectNow, .message = "server \"" + spec_.name + "\" could not be stopped"};
}

bool Server::wait_gone(Deadline deadline) {
    while (process() != Process::kDead) {
        if (deadline.passed()) return false;
        pause(kPollInterval);
    }
    return true;
}

Process Server::process() const {
    if (pid()) return Process::kAlive;
    const std::string data = real_data();
    return data.empty() || processes_in(data).empty() ? Process::kDead : Process::kAlive;
}

std::optional<pid_t> Server::pid() const {
    // Asked many times a second: a postmaster that was recognised is the same one until it ends.
    const std::lock_guard lock(postmaster_mutex_);
    if (const std::optional<pid_t> known = postmaster_.alive()) return known;
    const PidFile file = read_pid_file(spec_.data_directory());
    if (file.pid == 0 || !postmaster_.open(file.pid)) return std::nullopt;
    // The number may be somebody else's by now; a postmaster works in its data directory.
    if (is_alive(file.pid) && working_directory(file.pid) == real_data()) return file.pid;
    postmaster_.forget();
    return std::nullopt;
}

}  // namespace pgmosaic::node

#include "cli/directory.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>
#include <utility>

#include "base/deadline.h"

namespace pgmosaic::cli {

namespace {

namespace fs = std::filesystem;

Error refused(std::string message, std::string hint = {}) {
    return Error{.code = sqlstate::kInsufficientPrivilege, .message = std::move(message), .hint = std::move(hint)};
}

Error failed(const std::string& what, const std::string& path, int number) {
    return Error{.code = sqlstate::kIoError, .message = "could not " + what + " \"" + path + "\": " + std::strerror(number)};
}

std::string account_name(uid_t user) {
    const passwd* entry = getpwuid(user);
    return entry == nullptr ? std::to_string(user) : entry->pw_name;
}

Result<void> make_directory(const Layout& layout, const Account& account) {
    std::error_code failure;
    fs::create_directories(fs::path(layout.root).parent_path(), failure);
    if (failure) return failed("create directory", fs::path(layout.root).parent_path(), failure.value());
    if (mkdir(layout.root.c_str(), 0755) != 0) return failed("create directory", layout.root, errno);
    if (chown(layout.root.c_str(), account.user, account.group) != 0) return failed("give away", layout.root, errno);
    return {};
}

}  // namespace

Result<Account> server_account(const std::string& name) {
    const bool root = geteuid() == 0;
    const passwd* entry = root ? getpwnam(name.c_str()) : getpwuid(geteuid());
    if (entry == nullptr && root) {
        return Error{.code = sqlstate::kUndefinedObject, .message = "user \"" + name + "\" does not exist",
                     .hint = "Name an account for the servers with --user, or install Debian's package postgresql-15."};
    }
    if (entry == nullptr) return Account{.user = geteuid(), .group = getegid(), .name = std::to_string(geteuid())};
    if (entry->pw_uid == 0) {
        return Error{.code = sqlstate::kConfigFileError, .message = "PostgreSQL does not run as root",
                     .hint = "Name another account with --user."};
    }
    return Account{.user = entry->pw_uid, .group = entry->pw_gid, .name = entry->pw_name};
}

Layout layout_of(const std::string& directory) {
    std::string root = fs::absolute(directory).lexically_normal().string();
    while (root.size() > 1 && root.back() == '/') root.pop_back();
    return Layout{.root = std::move(root)};
}

Holds look_into(const Layout& layout) {
    // All that is there before cluster.json is, in the order in which it is made.
    static const std::set<std::string> kFirstThings{"pgmosaic.pid", "log", "pgmosaic.yaml.new", "pgmosaic.yaml",
                                                   "cluster.json.new"};
    std::error_code failure;
    if (fs::exists(layout.cluster_file(), failure)) return Holds::kCluster;
    if (!fs::exists(layout.root, failure)) return Holds::kNothing;
    if (!fs::is_directory(layout.root, failure)) return Holds::kSomethingElse;
    bool empty = true;
    for (const auto& entry : fs::directory_iterator(layout.root, failure)) {
        empty = false;
        if (kFirstThings.count(entry.path().filename()) == 0) return Holds::kSomethingElse;
    }
    if (failure) return Holds::kSomethingElse;
    return empty ? Holds::kNothing : Holds::kHalfMade;
}

Result<void> claim_directory(const Layout& layout, const Account& account) {
    const Holds holds = look_into(layout);
    if (holds == Holds::kSomethingElse) {
        return refused("\"" + layout.root + "\" is not empty and holds no cluster of pgmosaic", "Name a new directory.");
    }
    struct stat status {};
    if (stat(layout.root.c_str(), &status) != 0) {
        return errno == ENOENT ? make_directory(layout, account) : failed("read directory", layout.root, errno);
    }
    if (status.st_uid == account.user) return {};
    const bool ours_to_give = geteuid() == 0 && holds == Holds::kNothing;
    if (!ours_to_give) {
        const std::string owner = account_name(status.st_uid);
        return refused("\"" + layout.root + "\" belongs to user \"" + owner + "\", not to \"" + account.name + "\"",
                       geteuid() == 0 ? "Run it with --user " + owner + "." : "Name a directory of your own.");
    }
    if (chown(layout.root.c_str(), account.user, account.group) != 0) return failed("give away", layout.root, errno);
    return {};
}

Result<void> become(const Account& account) {
    if (geteuid() != 0) return {};
    const bool changed = initgroups(account.name.c_str(), account.group) == 0 && setgid(account.group) == 0 &&
                         setuid(account.user) == 0;
    if (!changed) return failed("become user", account.name, errno);
    return {};
}

Result<void> check_reachable(const Layout& layout) {
    fs::path way;
    for (const fs::path& part : fs::path(layout.root)) {
        way /= part;
        if (access(way.c_str(), X_OK) == 0) continue;
        if (errno != EACCES) return failed("enter directory", way, errno);
        return refused("user \"" + account_name(geteuid()) + "\" may not enter directory \"" + way.string() + "\"",
                       "Name a directory elsewhere, or let that user in: chmod a+x " + way.string());
    }
    return {};
}

// ---------------------------------------------------------------- the daemon's lock

DaemonLock::DaemonLock(DaemonLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

DaemonLock& DaemonLock::operator=(DaemonLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

DaemonLock::~DaemonLock() {
    if (descriptor_ >= 0) close(descriptor_);
}

Result<DaemonLock> DaemonLock::take(const Layout& layout) {
    DaemonLock lock(open(layout.pid_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (lock.descriptor_ < 0) return failed("open file", layout.pid_file(), errno);
    // Who only asks (running_daemon) holds the lock for a moment, too.
    const Deadline deadline = Deadline::after(500ms);
    while (flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
        std::this_thread::sleep_for(10ms);
        if (!deadline.passed()) continue;
        return Error{.code = sqlstate::kObjectInUse,
                     .message = "another pgmosaic is at work in \"" + layout.root + "\""};
    }
    const std::string pid = std::to_string(getpid()) + "\n";
    const bool written = ftruncate(lock.descriptor_, 0) == 0 &&
                         write(lock.descriptor_, pid.data(), pid.size()) == static_cast<ssize_t>(pid.size());
    if (!written) return failed("write file", layout.pid_file(), errno);
    return lock;
}

std::optional<pid_t> running_daemon(const Layout& layout) {
    const int descriptor = open(layout.pid_file().c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return std::nullopt;
    const bool free = flock(descriptor, LOCK_SH | LOCK_NB) == 0;
    close(descriptor);
    if (free) return std::nullopt;
    pid_t pid = 0;
    std::ifstream(layout.pid_file()) >> pid;
    return pid > 0 ? std::optional(pid) : std::nullopt;
}

}  // namespace pgmosaic::cli

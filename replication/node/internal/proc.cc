#include "replication/node/internal/proc.h"

#include <dirent.h>
#include <poll.h>
#include <unistd.h>

#include <cctype>
#include <climits>
#include <cstdlib>
#include <memory>

#include "replication/node/files.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot to say that it is C
}

namespace pgmosaic::node {

bool is_alive(pid_t pid) {
    if (pid <= 0) return false;
    // "4711 (name, which may hold blanks and brackets) S …"
    const std::string status = read_text("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t bracket = status.rfind(')');
    if (bracket == std::string::npos || bracket + 2 >= status.size()) return false;
    const char state = status[bracket + 2];
    return state != 'Z' && state != 'X';
}

std::string working_directory(pid_t pid) {
    char target[PATH_MAX];
    const std::string link = "/proc/" + std::to_string(pid) + "/cwd";
    const ssize_t length = readlink(link.c_str(), target, sizeof target);
    return length > 0 ? std::string(target, static_cast<std::size_t>(length)) : "";
}

std::vector<pid_t> processes_in(const std::string& directory) {
    std::vector<pid_t> found;
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir("/proc"), closedir);
    if (!listing) return found;
    while (const dirent* entry = readdir(listing.get())) {
        if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])) == 0) continue;
        const pid_t pid = std::atoi(entry->d_name);
        if (working_directory(pid) == directory && is_alive(pid)) found.push_back(pid);
    }
    return found;
}

bool KnownProcess::open(pid_t pid) {
    forget();
    descriptor_ = pidfd_open(pid, 0);
    pid_ = pid;
    return descriptor_ >= 0;
}

void KnownProcess::forget() {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = -1;
}

std::optional<pid_t> KnownProcess::alive() {
    if (descriptor_ < 0) return std::nullopt;
    pollfd ended{.fd = descriptor_, .events = POLLIN, .revents = 0};
    if (poll(&ended, 1, 0) == 0) return pid_;
    forget();
    return std::nullopt;
}

}  // namespace pgmosaic::node

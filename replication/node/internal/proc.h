#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace pgmosaic::node {

/// Does a process of this number exist that is more than a zombie?
bool is_alive(pid_t pid);

/// Where it works; empty if it is gone or not ours to look at.
std::string working_directory(pid_t pid);

/// Live processes whose working directory is `directory` (a real path): every process of a PostgreSQL server is
/// one of its data directory, also when its postmaster is gone.
std::vector<pid_t> processes_in(const std::string& directory);

/// A process that was recognised once and is the same until it ends, whoever gets its number then (Linux: a pidfd). Asking
/// costs one system call, where recognising it anew costs a dozen.
class KnownProcess {
   public:
    KnownProcess() = default;
    ~KnownProcess() { forget(); }
    KnownProcess(const KnownProcess&) = delete;
    KnownProcess& operator=(const KnownProcess&) = delete;

    /// False if there is no such process.
    bool open(pid_t pid);
    void forget();
    /// Its number while it lives; a zombie does not.
    std::optional<pid_t> alive();

   private:
    int descriptor_ = -1;
    pid_t pid_ = 0;
};

}  // namespace pgmosaic::node

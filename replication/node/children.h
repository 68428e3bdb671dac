#pragma once

#include <sys/types.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"

namespace pgmosaic::node {

/// What is started, and where its words go.
struct Command {
    std::vector<std::string> arguments{};  ///< the first is the program's path
    std::string log_file{};                ///< appended to: a pipe would fill, or kill its writer when we end
    bool outlives_us = false;              ///< a server goes on when pgmosaic is killed; a tool must not
};

/// All children of this process, and the only one that waits for any of them.
///
/// Orphans come here too (child subreaper), so that a killed server's processes vanish at once and not when a lazy
/// PID 1 gets to it: as zombies they would block its data directory.
///
/// Core      any; guards itself with a mutex. Nobody else in the process may call wait(), system() or popen()
/// Lifetime  one per process; children go on when it ends
class Children {
   public:
    Children();
    Children(const Children&) = delete;
    Children& operator=(const Children&) = delete;
    ~Children();

    Result<pid_t> spawn(const Command& command);
    /// The status that waitpid gives, or nothing while the child runs. A status is handed out once.
    std::optional<int> exited(pid_t pid);
    /// Blocks. Nothing: the deadline passed first.
    std::optional<int> wait(pid_t pid, Deadline deadline);

   private:
    void reap();
    void reap_in_background();

    std::mutex mutex_;
    std::map<pid_t, std::optional<int>> started_;
    bool stopping_ = false;
    std::thread reaper_;
};

/// Runs a tool to its end. Errors: 58030 or 53100 with its last words; 57014 when it was ended at the deadline.
Result<void> run_tool(Children& children, const Command& command, Deadline deadline);

}  // namespace pgmosaic::node

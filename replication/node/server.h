#pragma once

#include <sys/types.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "replication/node/binaries.h"
#include "replication/node/children.h"
#include "replication/node/internal/proc.h"
#include "replication/node/node_control.h"
#include "replication/node/server_spec.h"

namespace pgmosaic::node {

/// When a new data directory must have reached the disk. `kLater`: the maker flushes all servers at once, and throws
/// away what it finds half-made after a restart of the machine.
enum class Flush : std::uint8_t { kNow, kLater };

/// One PostgreSQL server on this machine, from initdb to its end. Everything here blocks.
///
/// Core      none: a thread that may wait. One action at a time; process() and pid() may be asked in between
/// Lifetime  borrows the children; a server goes on when its object ends, and the next object adopts it
/// Errors    58030, 53100 (disk), 57P03 (did not start or stop in time), 55006 (port taken), 55000 (data directory)
class Server {
   public:
    Server(ServerSpec spec, Binaries binaries, Children& children);

    const ServerSpec& spec() const { return spec_; }
    /// A whole data directory: not one that a clone or a rewind has left half-way.
    bool has_data() const;
    /// Would it start as a standby?
    bool is_standby() const;

    /// A new, empty primary. Killed half-way, it leaves nothing that a second call would take for a data directory.
    Result<void> initialize(Deadline deadline);
    /// A base backup of `primary`, as its standby; what was there before is replaced at the very end.
    Result<void> clone(const ServerSpec& primary, Flush flush, Deadline deadline);
    /// The same of a primary that has been initialized and never started: its files as they are, which takes no server.
    Result<void> copy_new(const ServerSpec& primary);
    /// What this server wrote and `primary` never got is undone; then it is its standby. It must be stopped.
    Result<void> rewind(const ServerSpec& primary, Deadline deadline);

    Result<void> start(Deadline deadline);
    Result<void> stop(StopMode mode, Deadline deadline);

    Process process() const;
    /// The postmaster's, while it lives.
    std::optional<pid_t> pid() const;

   private:
    Result<void> write_files() const;
    Result<void> become_standby_of(const std::string& data, const ServerSpec& primary) const;
    Result<std::string> fresh_directory() const;
    Result<void> replace_data(const std::string& fresh) const;
    Result<void> wait_ready(pid_t pid, std::uint64_t log_begin, Deadline deadline);
    Error start_failure(const std::string& words) const;
    void remove_stale_locks() const;
    bool wait_gone(Deadline deadline);
    std::string real_data() const;
    std::string settings_file() const { return spec_.directory + "/postgresql.conf"; }
    /// Exists while a rewind is at work: the data directory is neither old nor new.
    std::string rewind_mark() const { return spec_.directory + "/rewinding"; }
    std::string tool_log() const { return spec_.log_file + ".tools"; }

    const ServerSpec spec_;
    const Binaries binaries_;
    Children& children_;
    mutable std::mutex postmaster_mutex_;
    mutable KnownProcess postmaster_;
};

/// Makes (or keeps, if it still has its WAL) the slot through which `standby` streams from `primary`.
/// A slot that exists but is of no use is made anew.
Result<void> ensure_slot(const ServerSpec& primary, const std::string& standby, Deadline deadline);
/// Before a rewind: without it the new primary's timeline is not yet in its control file, and pg_rewind of
/// PostgreSQL 15 compares with the old one.
Result<void> checkpoint(const ServerSpec& primary, Deadline deadline);
/// Returns when `primary` sees exactly one receiver of that name, streaming.
Result<void> wait_streaming(const ServerSpec& primary, const std::string& standby, Deadline deadline);
/// From here on commits on `primary` wait for `standby`, as far as the server says so (PROTOCOLS 3.4 has the proof).
Result<void> require_standby(const ServerSpec& primary, const std::string& standby, Deadline deadline);

}  // namespace pgmosaic::node

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/task.h"

namespace pgmosaic::node {

/// How a server is asked to end.
enum class StopMode : std::uint8_t {
    kFast,       ///< SIGINT: sessions are ended, a checkpoint is written; after half the time left, kImmediate
    kImmediate,  ///< SIGQUIT: no checkpoint, crash recovery at the next start; at the end of the time, kKill
    kKill,       ///< SIGKILL to the postmaster and to every process of its data directory
};

/// What can be said about a server's postmaster by looking at processes, which no network can falsify.
enum class Process : std::uint8_t {
    kUnknown,  ///< not on a host that we can look at: only the network can tell
    kAlive,    ///< the process exists; whether it answers is another question
    kDead,     ///< gone, or a zombie (state Z), and no other process works in its data directory
};

/// A server that can be driven, whether a shard uses it or not.
struct KnownServer {
    NodeId node{};
    std::string name{};
    std::string host{};
    std::uint16_t port = 0;
    std::string data_directory{};
};

/// What needs a shell on a server's host: its process and its data directory. SQL does not go through here.
///
/// Core      any; blocking work runs on threads of the implementation, never on the caller's core
/// Lifetime  outlives every coroutine that it gave out
/// Cancel    the caller stops waiting; a step that has begun on the server runs on to its end or its deadline
/// Errors    as values: 57P03 not started or stopped in time, 0A000 the node is not ours to drive,
///           58030 and 53100 from the operating system, 55000 the data directory is not what it should be
/// Bound     one action per node at a time; a second one waits for the first, within its own deadline
class NodeControl {
   public:
    virtual ~NodeControl() = default;

    /// Can the calls below do anything for this node?
    virtual bool is_local(NodeId node) const = 0;
    /// Never blocks longer than a few reads in /proc.
    virtual Process process(NodeId node) const = 0;
    virtual std::optional<pid_t> pid(NodeId node) const = 0;
    virtual std::vector<KnownServer> known() const { return {}; }

    /// Starts the server as what its data directory says (a primary, or a standby) and returns when it answers
    /// `SELECT 1`. Started already: an immediate success.
    virtual Task<Result<void>> start(NodeId node, Deadline deadline) = 0;

    /// Returns when the postmaster is gone. Stopped already: an immediate success.
    virtual Task<Result<void>> stop(NodeId node, StopMode mode, Deadline deadline) = 0;

    /// Makes `broken` a streaming standby of `primary` again, whatever state it is in: stops it, CHECKPOINT on the
    /// primary, pg_rewind or else a new base backup, a new `postgresql.auto.conf` (names cleared, PROTOCOLS 3.9), a
    /// slot of its own name that reserves WAL, start; returns when it streams from `primary`.
    /// `synchronous_standby_names` of the primary and every record in the store stay the caller's.
    virtual Task<Result<void>> rebuild_as_standby(NodeId broken, NodeId primary, Deadline deadline) = 0;
};

}  // namespace pgmosaic::node

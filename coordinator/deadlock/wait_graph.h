#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/ids.h"

namespace pgmosaic::coordinator::deadlock {

/// Whoever may wait or be waited for: a session of ours with all its server sessions, or a stranger on one server.
enum class Party : std::uint64_t {};

/// A session in a transaction that waits for servers.
struct Suspect {
    Party party{};
    int core = 0;
    Clock::time_point begun{};       ///< its transaction
    Clock::time_point busy_since{};  ///< its statement
    std::string gid{};               ///< what it is committing
    std::vector<std::pair<ShardId, int>> servers{};  ///< shard and process of each server session it holds
};

/// One server says that somebody waits for somebody.
struct Wait {
    Party waiter{};
    Party holder{};
    ShardId shard{};
    std::string what{};  ///< `ShareLock on transaction 745`
    friend bool operator==(const Wait&, const Wait&) = default;
};

/// A circle: each waits for the next one's locks, the last for the first's.
struct Deadlock {
    std::vector<Wait> circle{};
    Party victim{};
};

/// The circles that no single server sees, each with the one in it that is to be broken: the youngest of those named in
/// `begun`. Circles on one server are that server's to break.
///
/// Shape  what the servers said → what to do; no I/O
std::vector<Deadlock> find_deadlocks(std::vector<Wait> waits, const std::map<Party, Clock::time_point>& begun);

}  // namespace pgmosaic::coordinator::deadlock

#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/ids.h"

namespace pgmosaic::coordinator::moment {

enum class Ticket : std::uint64_t {};

/// Who may go when, so that a snapshot of several shards sees every transaction of several shards whole or not at all
/// (PROTOCOLS 2). A group latch with a door:
///
///   openers     take their snapshots together, in a *window*
///   committers  run phase two together, never while a window is open
///   passers     (COMMITs of one shard, autocommitted writes) wait at the door while a window is open, and hold nothing
///
/// The sides take turns when both want to go: who comes while the other side waits, waits for the next turn, so nobody
/// starves. A window that somebody waits for ends at its bound; its openers are thrown out and must come again. A committer
/// that is not through at its bound is *in doubt*: the latch passes on, and snapshots that would include one of its
/// unresolved shards wait until that is resolved.
///
/// Shape  what happens goes in with the time; take_granted() and due() say what to do next. No I/O, no clock.
class Latch {
   public:
    using Time = Clock::time_point;
    struct Bounds {
        Clock::duration window = 20ms;       ///< PROTOCOLS 2.1
        Clock::duration phase_two = 100ms;   ///< some commits on a slow disk; readers of other shards wait no longer
    };

    Latch() = default;
    explicit Latch(Bounds bounds) : bounds_(bounds) {}

    // -------------------------------------------------------- arrivals; granted at once or later, see granted()
    Ticket open(std::vector<ShardId> shards, Time now);
    /// `unresolved`: the shards where the transaction is prepared and not yet committed.
    Ticket commit(std::string gid, std::vector<ShardId> unresolved, Time now);
    Ticket pass(Time now);

    bool granted(Ticket ticket) const { return holders_.contains(ticket); }
    /// The holder has done, or who waits goes away. False: the window ended before (a committer need not care). A committer
    /// whose shards are not all resolved leaves them in doubt.
    bool leave(Ticket ticket, Time now);
    /// What becomes of `gid` on the shard is done there.
    void resolve(const std::string& gid, ShardId shard, Time now);
    /// A prepared transaction that nobody holds a ticket for, and that may be visible on other shards.
    void doubt(const std::string& gid, ShardId shard);
    void tick(Time now);

    // -------------------------------------------------------- what to do
    /// Tickets granted since the last call. A passer's is over with that.
    std::vector<Ticket> take_granted();
    /// When tick() must be called; nothing if nobody waits for a bound.
    std::optional<Time> due() const;
    bool door_closed() const { return side_ == Side::kOpeners; }
    bool in_doubt(ShardId shard) const { return doubts_by_shard_.contains(shard); }
    std::set<std::string> doubts(ShardId shard) const;
    std::size_t waiting() const { return openers_.size() + committers_.size() + passers_.size(); }

   private:
    enum class Side : std::uint8_t { kNobody, kOpeners, kCommitters };
    struct Opener {
        Ticket ticket{};
        std::vector<ShardId> shards{};
    };
    struct Committer {
        Ticket ticket{};
        std::string gid{};
        std::set<ShardId> unresolved{};
    };
    struct Holder {
        Time until{};
        std::string gid{};               ///< a committer's
        std::set<ShardId> unresolved{};
    };

    Ticket next() { return Ticket{++last_}; }
    bool may_open(const Opener& opener) const;
    bool openers_wait() const;
    void advance(Time now);
    void admit_openers(Time now);
    void admit_committers(Time now);
    void admit_passers();
    void grant(Ticket ticket, Holder holder);
    void to_doubt(const Holder& holder);
    bool forget_waiting(Ticket ticket);

    Bounds bounds_{};
    std::uint64_t last_ = 0;
    Side side_ = Side::kNobody;
    Side last_side_ = Side::kNobody;
    std::map<Ticket, Holder> holders_;  ///< all of `side_`
    std::deque<Opener> openers_;
    std::deque<Committer> committers_;
    std::deque<Ticket> passers_;
    std::vector<Ticket> granted_;
    std::map<ShardId, std::set<std::string>> doubts_by_shard_;  ///< none of them empty
};

}  // namespace pgmosaic::coordinator::moment

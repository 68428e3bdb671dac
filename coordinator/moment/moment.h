#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/task.h"
#include "coordinator/moment/latch.h"

namespace pgmosaic::coordinator::moment {

class Moment;

/// A granted ticket. Left when it goes out of scope.
class Hold {
   public:
    Hold() = default;
    Hold(Moment& moment, Ticket ticket) : moment_(&moment), ticket_(ticket) {}
    Hold(Hold&& other) noexcept : moment_(std::exchange(other.moment_, nullptr)), ticket_(other.ticket_) {}
    Hold& operator=(Hold&& other) noexcept;
    ~Hold() { leave(); }
    /// False: it was taken away before, because it lasted too long.
    bool leave();

   private:
    Moment* moment_ = nullptr;
    Ticket ticket_{};
};

/// The latch and the door of one database. Serves several cores; guarded by a mutex that is held for a few instructions.
///
/// Core      waiting coroutines stay on their own; they are woken by a message
/// Lifetime  outlives its holds: Database keeps it, and whoever waits or holds keeps the Database
/// Cancel    who waits goes away, also when `cancelled` becomes true; a hold is left by its destructor
/// Errors    57P03 when the turn has not come before the deadline, 57014 when it was cancelled
/// Bound     a window somebody waits for lasts 20 ms; see Latch
class Moment {
   public:
    Moment() = default;
    explicit Moment(Latch::Bounds bounds) : latch_(bounds) {}
    Moment(const Moment&) = delete;
    Moment& operator=(const Moment&) = delete;

    /// A window for snapshots of these shards.
    Task<Hold> open(std::vector<ShardId> shards, Deadline deadline, const bool* cancelled = nullptr);
    /// Phase two of `gid`, from sending the decision's COMMIT to the last COMMIT PREPARED; `unresolved`: where it is prepared.
    Task<Hold> commit(std::string gid, std::vector<ShardId> unresolved, Deadline deadline);
    /// What may make a change visible asks this right before it is sent, and waits at the door if it is closed. One load.
    bool door_closed() const { return door_closed_.load(); }
    Task<> pass(Deadline deadline);

    void resolve(const std::string& gid, ShardId shard);
    void doubt(const std::string& gid, ShardId shard);
    std::set<std::string> doubts(ShardId shard) const;

   private:
    friend class Hold;
    struct Waiter;
    using WaiterPointer = std::shared_ptr<Waiter>;  ///< the message that wakes it may come after it has gone

    struct Turn {
        Ticket ticket{};
        WaiterPointer waiter{};  ///< null: granted already
    };

    template <class Arrive>
    Turn arrive(const asio::any_io_executor& executor, Arrive arrive);
    Task<> wait(Turn turn, Deadline deadline, const bool* cancelled);
    template <class Change>
    void change(Change change);
    void wake(const std::vector<Ticket>& granted);
    bool leave(Ticket ticket);
    Latch::Time next_look() const;

    mutable std::mutex mutex_;
    Latch latch_;
    std::map<Ticket, WaiterPointer> waiters_;
    std::atomic<bool> door_closed_{false};
};

}  // namespace pgmosaic::coordinator::moment

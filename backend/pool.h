#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/connection.h"
#include "base/ids.h"

namespace pgmosaic::backend {

/// Where a shard's primary is now. `generation` grows when it changes; connections of an older one are not reused.
struct Endpoint {
    std::string host;
    int port = 0;
    std::uint64_t generation = 0;
    bool available = false;  ///< false: no primary at the moment; leases wait
    std::string socket_directory{};  ///< see nearest_host()
};

/// Server connections of one shard that exist on all cores together. Serves several cores: atomics only.
struct SlotCount {
    std::atomic<int> open{0};
    std::atomic<int> waiting{0};
};

struct PoolOptions {
    int per_shard_max = 40;
    /// More for those who hold locks already: what all others wait for must not itself wait for one of them (PROTOCOLS 2.10).
    int reserve = 10;
    Clock::duration wait_timeout = 5s;
    Clock::duration idle_max = 600s;
    ServerTls tls{};
};

/// Who asks for a connection.
struct Applicant {
    std::uint64_t owner = 0;  ///< see Pool::try_acquire()
    bool holds_locks = false;
    const bool* cancelled = nullptr;  ///< becomes true when he does not want it any more
};

class Pool;

/// A connection in use. Clean, it returns to its pool when it leaves scope; otherwise it is closed.
class Lease {
   public:
    Lease() = default;
    Lease(Pool* pool, std::unique_ptr<Connection> connection, ShardId shard, std::string key, std::uint64_t generation);
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&& other) noexcept;
    ~Lease() { release(); }

    explicit operator bool() const { return connection_ != nullptr; }
    Connection* operator->() const { return connection_.get(); }
    Connection& operator*() const { return *connection_; }
    ShardId shard() const { return shard_; }
    std::uint64_t generation() const { return generation_; }
    void release();
    /// Closes it whatever its state.
    void discard();

   private:
    friend class Pool;
    Pool* pool_ = nullptr;
    std::unique_ptr<Connection> connection_;
    ShardId shard_{};
    std::string key_;  ///< database and user
    std::uint64_t generation_ = 0;
    std::list<Connection*>::iterator in_use_{};
};

/// Connections of one core, by shard, database and user.
///
/// Core      one; `slots` is shared by all cores
/// Lifetime  outlives its leases
/// Cancel    a waiting acquire() leaves the queue
/// Errors    the server's on login; 57014 for an applicant that was cancelled; 57P03 when no primary came within the waiting time; 53300 when no slot did
/// Bound     `per_shard_max` (with `reserve`) connections per shard on all cores together
class Pool {
   public:
    Pool(asio::any_io_executor executor, PoolOptions options, std::vector<std::shared_ptr<SlotCount>> slots);
    ~Pool();

    /// The idle connection that was used last, if there is one: no waiting.
    /// `owner`: who asks, if a connection may hold state of his (Connection::owner); he gets that one if it is free.
    Lease try_acquire(ShardId shard, const std::string& database, const std::string& user, std::uint64_t owner = 0);
    /// Nobody will ask for that state any more.
    void forget_owner(std::uint64_t owner);
    Task<Lease> acquire(ShardId shard, std::string database, std::string user, Applicant applicant = Applicant());

    /// A new map: idle connections of older generations are closed, those in use are cut if their server is gone.
    void set_endpoint(ShardId shard, Endpoint endpoint);
    const Endpoint& endpoint(ShardId shard) const { return shards_[shard.value].endpoint; }
    std::size_t shards() const { return shards_.size(); }
    void add_shard(std::shared_ptr<SlotCount> slots);
    /// Closes idle connections to a database (DROP DATABASE), or to all if empty.
    void close_idle(const std::string& database);
    /// Closes idle connections to a shard's server, which may not live any more.
    void distrust(ShardId shard);
    /// The same for all, and those in use are closed when they come back.
    void retire();
    /// Wakes those who wait: a slot may be free on another core, or a primary is there again.
    void wake();
    /// Called when a slot became free while other cores wait for one.
    std::function<void()> on_slot_free;
    /// Gives the password of a user's login on the shards; empty: none is needed.
    std::function<std::string(const std::string& user)> password_of;
    /// The same for who has shown us a proof instead of a password; null: none.
    std::function<std::shared_ptr<const wire::ScramKeys>(const std::string& user)> keys_of;
    void set_bounds(int per_shard_max, Clock::duration wait_timeout);
    const PoolOptions& options() const { return options_; }

    struct Usage {
        ShardId shard;
        std::string database, user;
        std::size_t idle = 0;
    };
    std::vector<Usage> usage() const;
    std::size_t in_use(ShardId shard) const { return shards_[shard.value].in_use.size(); }
    std::size_t waiting(ShardId shard) const { return shards_[shard.value].waiters.size(); }

   private:
    friend class Lease;
    struct Shard;
    struct Waiter {
        Waiter(const asio::any_io_executor& executor, Shard& waited_for);
        ~Waiter();
        Waiter(const Waiter&) = delete;
        Waiter& operator=(const Waiter&) = delete;
        asio::steady_timer timer;
        Shard& shard;
        std::list<Waiter*>::iterator place;
    };
    struct Shard {
        Endpoint endpoint;
        std::shared_ptr<SlotCount> slots;
        std::unordered_map<std::string, std::vector<std::unique_ptr<Connection>>> idle;
        std::list<Connection*> in_use;
        std::list<Waiter*> waiters;
    };
    bool take_slot(Shard& shard, int most);
    void free_slot(Shard& shard);
    static std::unique_ptr<Connection> take_idle(Shard& shard, const std::string& key, std::uint64_t owner, bool anyones);
    bool close_one_idle(Shard& shard);
    void give_back(Lease& lease, bool reusable);
    Lease lend(ShardId shard, std::string key, std::unique_ptr<Connection> connection, std::uint64_t generation);
    Task<> wait_in_queue(Waiter& waiter, Deadline deadline, Clock::duration at_most);
    static void wake_next(Shard& shard);
    Task<Result<Lease>> connect(ShardId shard, std::string key, std::string database, std::string user, Deadline deadline);

    asio::any_io_executor executor_;
    PoolOptions options_;
    std::deque<Shard> shards_;
};

}  // namespace pgmosaic::backend

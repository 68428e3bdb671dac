#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "backend/pool.h"
#include "base/task.h"
#include "coordinator/client_seats.h"
#include "coordinator/live.h"
#include "coordinator/moment/moment.h"
#include "coordinator/server_options.h"
#include "coordinator/wal_floor.h"
#include "planner/catalog.h"
#include "replication/shard_status.h"
#include "shardmap/shard_map.h"
#include "shardmap/store/store.h"

namespace pgmosaic::coordinator {

class Core;
namespace notify {
class Notifier;
}

/// What the coordinator knows of one database. Serves several cores: the catalog is published, never changed.
class Database {
   public:
    explicit Database(std::string name) : name_(std::move(name)) {}
    const std::string& name() const { return name_; }
    /// Grows with every change of the schema; compared before each statement.
    std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
    std::shared_ptr<const planner::Catalog> catalog() const;
    /// Null if nobody has loaded it, or it is known to be out of date.
    void publish(std::shared_ptr<const planner::Catalog> catalog);
    /// The next number for a snapshot that is about to be read; not used again by a later database of the same name.
    static std::uint64_t next_version() { return last_version_.fetch_add(1) + 1; }
    /// Whoever asks next loads it anew; snapshots that are being read now will not be published.
    void invalidate();
    /// pgmosaic's own tables are known to be there.
    bool prepared() const { return prepared_.load(std::memory_order_relaxed); }
    void set_prepared() { prepared_.store(true, std::memory_order_relaxed); }
    /// Who may read or commit to several shards now.
    moment::Moment& moment() { return moment_; }
    std::atomic<int> listening{0};  ///< channels that sessions listen to, each session's counted
    std::atomic<bool> placement_changing{false};  ///< somebody holds its gates (admin/placement_gate.h)

   private:
    std::string name_;
    std::atomic<std::uint64_t> version_{0};
    inline static std::atomic<std::uint64_t> last_version_{0};
    std::atomic<bool> prepared_{false};
    moment::Moment moment_;
    mutable std::mutex mutex_;
    std::uint64_t outdated_up_to_ = 0;
    std::shared_ptr<const planner::Catalog> catalog_;
};

/// What all cores share: the map, the databases, the transactions in flight. Serves several cores; guarded by mutexes that
/// are held for a few instructions, none of them in the path of a statement whose plan is cached.
class Cluster {
   public:
    Cluster(ServerOptions options, LivePointer live, shardmap::MapPointer map);

    const ServerOptions& options() const { return options_; }
    /// On a core, ask the core.
    LivePointer live() const;
    /// Every core uses it from its next turn on.
    void use_live(LivePointer live);
    /// What a user's last login by SCRAM has given us, to log in on the servers with; null: nothing.
    std::shared_ptr<const wire::ScramKeys> keys_of(const std::string& user) const;
    void keep_keys(const std::string& user, const wire::ScramKeys& keys);
    ClientSeats& seats() { return seats_; }
    shardmap::MapPointer map() const;
    std::uint64_t map_version() const { return map_version_.load(std::memory_order_acquire); }
    /// The new map is seen by every core's pools before their next turn.
    void publish(shardmap::MapPointer map);

    std::shared_ptr<Database> database(const std::string& name);
    void forget_database(const std::string& name);
    std::vector<std::shared_ptr<Database>> databases() const;
    /// The prepared transactions of the shard have been read since this process began, and what is decided is finished: until
    /// then no snapshot of several shards includes it (PROTOCOLS 2.4).
    void shard_was_read(ShardId shard);

    /// Random, made at the start of this process: names its prepared transactions and its sessions on the servers.
    const std::string& incarnation() const { return incarnation_; }
    /// A new name for a prepared transaction whose decision is written on `decision`; known as in flight until settled().
    std::string new_gid(ShardId decision, const std::string& proof);
    void settled(const std::string& gid);
    bool in_flight(const std::string& gid) const;
    /// `pgm_<cluster id>_`: what all gids of this cluster begin with.
    std::string gid_prefix() const;

    void add_core(Core* core) { cores_.push_back(core); }
    const std::vector<Core*>& cores() const { return cores_; }
    std::vector<std::shared_ptr<backend::SlotCount>> slots() const { return slots_; }

    /// What a commit that is sent now will be behind of, in its shard's WAL.
    WalFloor& wal_floor(ShardId shard) { return wal_floors_[shard.value]; }
    const WalFloor& wal_floor(ShardId shard) const { return wal_floors_[shard.value]; }

    notify::Notifier* notifier = nullptr;  ///< the server's; set before cores run

    /// Hooks that the server sets before cores run. Store calls in them are short; see store::Store.
    std::function<Result<GroupId>(const std::string& database, const std::string& name, Oid key_type)> make_group;
    std::function<Result<void>(const std::string& database)> forget_groups;  ///< DROP DATABASE
    std::function<Task<Result<void>>(ShardId)> failover;
    std::function<Task<Result<void>>(ShardId)> switchover;
    std::function<Task<Result<void>>(std::string node)> rebuild_standby;
    std::function<void(bool)> set_automatic_failover;
    std::function<Task<Result<void>>(std::string node)> remove_standby;
    std::function<Task<Result<void>>(std::string shard)> add_standby;
    std::function<std::vector<replication::ShardStatus>()> shard_status;
    std::function<std::vector<store::Event>()> events;
    std::function<std::optional<int>(NodeId)> node_pid;  ///< of a server that runs on this machine

   private:
    ServerOptions options_;
    ClientSeats seats_;
    mutable std::mutex mutex_;
    LivePointer live_;
    std::map<std::string, std::shared_ptr<const wire::ScramKeys>> keys_;
    shardmap::MapPointer map_;
    std::atomic<std::uint64_t> map_version_{0};
    std::map<std::string, std::shared_ptr<Database>> databases_;
    std::set<ShardId> unread_;  ///< shards whose prepared transactions nobody has read yet
    std::string incarnation_;
    std::atomic<std::uint64_t> gid_number_{0};
    std::set<std::string> in_flight_;
    std::vector<Core*> cores_;
    std::vector<std::shared_ptr<backend::SlotCount>> slots_;
    std::deque<WalFloor> wal_floors_;  ///< [ShardId]
};

/// Where a shard's primary is, as the pools want it. The epoch is the generation.
backend::Endpoint endpoint_of(const shardmap::Shard& shard);

}  // namespace pgmosaic::coordinator

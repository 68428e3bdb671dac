#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "backend/pool.h"
#include "base/task_group.h"
#include "coordinator/admin/gate.h"
#include "coordinator/cluster.h"
#include "coordinator/internal/workbench_cache.h"
#include "coordinator/notify/listeners.h"
#include "coordinator/session_settings.h"
#include "planner/planner.h"
#include "wire/messages.h"

namespace pgmosaic::coordinator {

class Session;

enum class Isolation : std::uint8_t { kReadCommitted, kRepeatableRead, kSerializable };

/// What PostgreSQL says about a statement: its parameters and its columns, in text format.
struct Description {
    std::vector<Oid> parameters;
    std::vector<wire::Field> fields;
    bool returns_rows = false;
};

/// What the servers make of a user's settings.
struct Identity {
    SettingsPointer settings;
    std::vector<std::string> search_path;
    std::string role;
    bool utf8 = true;
    bool standard_conforming_strings = true;
    Isolation isolation = Isolation::kReadCommitted;  ///< of a transaction that does not say
};

/// One thread's share: its pools, its plan caches, its sessions.
class Core {
   public:
    Core(Cluster& cluster, int number);
    ~Core();

    asio::io_context& context() { return context_; }
    asio::any_io_executor executor() { return context_.get_executor(); }
    Cluster& cluster() { return cluster_; }
    const Cluster& cluster() const { return cluster_; }
    int number() const { return number_; }
    backend::Pool& pool() { return *pool_; }
    /// Sessions of pgmosaic itself: phase two, recovery, administration. Not counted in per_shard.
    backend::Pool& service_pool() { return *service_pool_; }
    /// What SIGHUP may change. Take it anew after each wait: the reference lives until the core's next turn.
    const Live& live() const { return *live_; }
    void use_live(LivePointer live);
    WorkbenchCache& workbench() { return workbench_; }
    SettingsTable& settings() { return settings_; }
    notify::Listeners& listeners() { return listeners_; }
    TaskGroup& tasks() { return tasks_; }
    planner::Planner& planner(const std::string& database);
    Gate& gate(const std::string& database);
    const shardmap::MapPointer& map() const { return map_; }
    void use_map(shardmap::MapPointer map);
    /// Statements for a shard wait while it is not available, whatever the map says.
    void set_available(ShardId shard, bool available);
    /// Told where a shard's primary is now, like the pools.
    std::function<void(ShardId, const backend::Endpoint&)> on_endpoint;

    std::set<Session*>& sessions() { return sessions_; }
    /// How many sessions this core has; any core may ask.
    std::size_t sessions_count() const { return sessions_count_.load(std::memory_order_relaxed); }
    void count_session(int change) { sessions_count_.fetch_add(static_cast<std::size_t>(change), std::memory_order_relaxed); }

    std::shared_ptr<const Description> find_description(const std::string& key) const;
    void keep_description(const std::string& key, std::shared_ptr<const Description> description);

    std::shared_ptr<const Identity> find_identity(const std::string& key, const SettingsPointer& settings) const;
    void keep_identity(const std::string& key, std::shared_ptr<const Identity> identity);
    void forget_identities() { identities_.clear(); }

    /// True if this text has been asked about lately: it is worth preparing.
    bool seen_before(std::string_view text);

    /// Number of a statement's text (with its parameter types) on this core's server connections.
    std::uint64_t statement_id(const std::string& key);

   private:
    Cluster& cluster_;
    int number_;
    asio::io_context context_{1};
    LivePointer live_;
    shardmap::MapPointer map_;
    std::vector<bool> available_;  ///< by shard
    void set_endpoint(const shardmap::Shard& shard);
    std::unique_ptr<backend::Pool> pool_;
    std::unique_ptr<backend::Pool> service_pool_;
    WorkbenchCache workbench_;
    SettingsTable settings_;
    notify::Listeners listeners_;
    std::unordered_map<std::string, std::unique_ptr<planner::Planner>> planners_;
    std::unordered_map<std::string, std::unique_ptr<Gate>> gates_;
    std::unordered_map<std::string, std::shared_ptr<const Description>> descriptions_;
    std::unordered_multimap<std::string, std::shared_ptr<const Identity>> identities_;
    std::unordered_map<std::string, std::uint64_t> statement_ids_;
    std::unordered_set<std::size_t> texts_seen_;  ///< by hash: two texts with one hash cost a statement with a name
    std::uint64_t next_statement_id_ = 0;
    std::set<Session*> sessions_;
    std::atomic<std::size_t> sessions_count_{0};
    TaskGroup tasks_;
};

}  // namespace pgmosaic::coordinator

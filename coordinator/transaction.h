#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/pool.h"
#include "coordinator/admin/placement_gate.h"
#include "coordinator/core.h"
#include "coordinator/session_settings.h"
#include "planner/catalog.h"

namespace pgmosaic::coordinator {

/// The level that the modes of a transaction name, as BEGIN, SET TRANSACTION or a setting's value has them.
std::optional<Isolation> isolation_in(std::string_view modes);

/// A server session that takes part in a client's statement or transaction.
struct Participant {
    backend::Lease lease;
    backend::Lease* pinned = nullptr;  ///< instead of `lease`: the session keeps this server session
    bool began = false;               ///< a transaction block is open on it (or its BEGIN waits to be sent)
    bool read = false;                ///< has a snapshot of the transaction, or has run its statements
    bool notifies = false;            ///< may have notified: what tells so is its commit
    bool wrote = false;               ///< may hold locks, a transaction id, or rows of ours: it is prepared, not just ended
    SettingsPointer settings_before;  ///< what the server session falls back to when the block is rolled back
    int ready_to_skip = 0;            ///< answers of queries put in front, before the statement's own

    ShardId shard() const { return pinned != nullptr ? pinned->shard() : lease.shard(); }
    std::uint64_t generation() const { return pinned != nullptr ? pinned->generation() : lease.generation(); }
    backend::Connection& connection() const { return pinned != nullptr ? **pinned : *lease; }
};

/// What a client's transaction has touched, and what must be said to servers that join it later. Deciding is here; talking
/// to the servers is in commit.cc.
///
/// Core      the session's
/// Lifetime  a member of the session; participants return to the pool when it ends
class Transaction {
   public:
    enum class Mode : std::uint8_t {
        kNone,      ///< autocommit
        kImplicit,  ///< several statements of one string or pipeline
        kExplicit,  ///< BEGIN
    };
    struct Savepoint {
        std::string name;
        SettingsPointer settings;
        std::size_t channel_changes = 0;  ///< how many there were
    };

    Mode mode() const { return mode_; }
    bool open() const { return mode_ != Mode::kNone; }
    bool failed() const { return failed_; }
    void fail() {
        if (open()) failed_ = true;
    }
    void recover() { failed_ = false; }
    void begin(Mode mode, std::string begin_sql, SettingsPointer settings);
    void make_explicit() { mode_ = Mode::kExplicit; }
    /// Forgets everything; participants are released.
    void end();

    Participant* find(ShardId shard);
    Participant& add(ShardId shard, backend::Lease lease);
    std::map<ShardId, Participant>& participants() { return participants_; }
    const std::map<ShardId, Participant>& participants() const { return participants_; }
    std::size_t writers() const;
    /// `BEGIN …` and all that a server must run to stand where the others stand.
    std::string join_sql() const;

    const std::string& begin_sql() const { return begin_sql_; }
    void set_begin_sql(std::string sql);
    /// SET TRANSACTION: the level it names, if it does, is the transaction's.
    void note_modes(std::string_view sql);
    /// As BEGIN or SET TRANSACTION say; nothing: the session's default.
    std::optional<Isolation> isolation() const { return isolation_; }
    std::vector<Savepoint>& savepoints() { return savepoints_; }
    /// LISTEN and UNLISTEN take effect at COMMIT, in their order.
    struct ChannelChange {
        enum class Kind : std::uint8_t { kListen, kUnlisten, kUnlistenAll } kind = Kind::kListen;
        std::string channel{};
    };
    std::vector<ChannelChange>& channel_changes() { return channel_changes_; }
    std::vector<std::string>& local_settings() { return local_settings_; }
    const std::vector<std::string>& local_settings() const { return local_settings_; }
    const SettingsPointer& settings_at_begin() const { return settings_at_begin_; }

    Clock::time_point begun{};
    bool changed_catalog = false;
    bool changed_defaults = false;                ///< of roles or databases: new server sessions begin with other settings
    bool moment_open = false;                     ///< all shards have the transaction's one snapshot
    bool moment_tried = false;                    ///< some of them may
    bool placement_changed = false;               ///< tables were distributed or brought home in it
    bool placement_of_old_table_changed = false;  ///< … that others may know already
    GateHold placement_hold;                      ///< new statements of the database wait until it has ended
    GateVisit gate;                               ///< the session's; outlives the transaction
    std::shared_ptr<const planner::Catalog> catalog;  ///< the schema as this transaction sees it, once it has changed it

   private:
    Mode mode_ = Mode::kNone;
    bool failed_ = false;
    std::string begin_sql_ = "BEGIN";
    std::optional<Isolation> isolation_;
    std::map<ShardId, Participant> participants_;
    std::vector<Savepoint> savepoints_;
    std::vector<std::string> local_settings_;
    std::vector<ChannelChange> channel_changes_;
    SettingsPointer settings_at_begin_;
};

}  // namespace pgmosaic::coordinator

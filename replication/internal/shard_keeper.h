#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/task_group.h"
#include "replication/internal/failover_log.h"
#include "replication/internal/node_probe.h"
#include "replication/supervisor.h"

namespace pgmosaic::replication {

/// What all keepers share.
struct KeeperContext {
    asio::any_io_executor executor;
    SupervisorPartners partners;
    SupervisorOptions options;
};

/// The doer of one shard: looks, asks `next`, carries out.
///
/// Core      the supervisor's
/// Lifetime  run() ends by cancellation; the keeper outlives it
class ShardKeeper {
   public:
    ShardKeeper(const KeeperContext& context, shardmap::Shard shard);

    Task<> run();
    const shardmap::Shard& shard() const { return shard_; }
    ShardStatus status() const;
    void forgive(Clock::duration slept);

    /// A wish of the operator; goes with the failover that it started, or is taken back.
    void ask(ByHand wish);
    void take_back_wish() { by_hand_ = ByHand::kNo; }
    /// How many failovers have been published since the start.
    std::uint64_t failovers_done() const { return failovers_done_; }
    const std::string& trouble() const { return trouble_; }
    /// So that an orderly end of the primary is quick.
    Task<Result<void>> checkpoint_primary(Deadline deadline);

    // By hand, see Supervisor.
    Task<Result<void>> rebuild_by_hand(std::string node, Deadline deadline);
    Task<Result<void>> remove_standby(std::string node, Deadline deadline);
    Task<Result<void>> add_standby(node::KnownServer server, Deadline deadline);

   private:
    /// A server with what we have on it.
    struct Server {
        Server(const KeeperContext& context, const shardmap::Node& node, std::function<void()> on_look);
        NodeProbe probe;
        ServerSession hands;
        bool local = false;
        bool busy = false;                    ///< being started or rebuilt
        int failed_starts = 0;
        Clock::time_point retry_at{};
        Clock::duration backoff{};
        Clock::time_point streamed_at{};      ///< last seen to stream, or could not have been seen
        std::string verified_incarnation{};   ///< of the server process that has acknowledged a commit of ours
    };

    Server& server(NodeId node) { return *servers_.at(node); }
    const NodeLook& look(NodeId node) const { return servers_.at(node)->probe.look(); }
    bool on_the_way() const;
    const shardmap::Node* old_or_primary() const;
    const shardmap::Node* standby_node() const;

    FailoverView view() const;
    PrimaryView view_primary() const;
    StandbyView view_standby() const;
    std::uint64_t newest_epoch() const;
    bool newer_epoch_seen() const { return newest_epoch() > shard_.epoch.value; }
    Error old_store_error() const;
    /// Says once why nothing is served.
    void tell_refusal();
    void note_streams();
    void set_pace(Action action);
    void tell_availability();
    void tell_position();
    std::string node_role(const shardmap::Node& node) const;
    NodeStatus node_status(const shardmap::Node& node) const;

    Task<> step();
    Task<Result<void>> perform(Action action);
    Task<Result<void>> fence();
    Task<Result<void>> stop_old_primary();
    Task<Result<void>> verify_primary();
    Task<Result<void>> record_promoted();
    Task<Result<void>> resolve();
    Task<Result<void>> publish();
    Task<Result<void>> prove();
    Task<Result<void>> stop_the_receiver();
    Task<Result<void>> ask_for_promotion();
    Task<Result<void>> resume(NodeId standby);
    Task<Result<void>> give_names(NodeId node, std::string names);
    Result<void> record_alone();
    Result<void> record_named();
    /// Writes the record if nobody else has changed it; else takes over what is there.
    Result<void> save(shardmap::Shard changed, std::string_view reason);
    Result<void> publish_map();
    void append_event(std::string_view kind, const std::string& body);
    /// A new look at the node, begun after now.
    Task<> see(NodeId node);

    const shardmap::Node* find_node(const std::string& name) const;
    Result<void> check_by_hand(const std::string& node) const;
    void add_server(const shardmap::Node& node);
    Task<Result<void>> begin_rebuild(NodeId node, Deadline deadline);
    Task<Result<void>> wait_rebuilt(NodeId node, Deadline deadline);
    Task<Result<void>> wait_alone(Deadline deadline);

    /// Starting and rebuilding take long: they run beside the keeper.
    void begin_mending(NodeId node, bool rebuild);
    Task<> mend(NodeId node, bool rebuild);
    Task<Result<void>> rebuild(NodeId node);
    void mended(NodeId node, bool rebuild, const Result<void>& outcome);

    const KeeperContext& context_;
    shardmap::Shard shard_;
    std::map<NodeId, std::unique_ptr<Server>> servers_;
    Wake news_;
    Wake looked_;
    TaskGroup tasks_;
    ByHand by_hand_ = ByHand::kNo;
    bool old_primary_stopped_ = false;
    std::optional<Clock::time_point> promote_at_;
    std::optional<bool> available_;
    std::uint64_t failovers_done_ = 0;
    std::uint64_t newest_epoch_ = 0;  ///< that a primary has told us when we wrote ours
    Action last_action_ = Action::kWait;
    std::string trouble_;
    FailoverLog log_;
};

}  // namespace pgmosaic::replication

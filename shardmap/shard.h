#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace pgmosaic::shardmap {

/// Number of a record's last change in the store; 0: the record is not there yet.
using Revision = StrongInt<struct RevisionTag, std::uint64_t>;

/// What is being done with a server, beyond being primary or standby.
enum class NodeState : std::uint8_t {
    kReady,
    kFenced,      ///< was primary of an older epoch: nothing is routed to it until it has been rebuilt
    kRebuilding,  ///< becomes a standby of the present primary
};

/// A PostgreSQL server: one primary or standby of a shard.
struct Node {
    NodeId id{};
    std::string name{};            ///< "s1a"; unique, also its slot and application_name
    std::string host{};
    std::uint16_t port = 0;
    std::string data_directory{};  ///< empty where we do not know it
    NodeState state = NodeState::kReady;

    friend bool operator==(const Node&, const Node&) = default;
};

/// How far a shard's standby can be trusted. What is recorded here decides who may be promoted (PROTOCOLS 3.4, 3.6).
enum class Standing : std::uint8_t {
    kAlone,       ///< commits wait for nobody: nobody may be promoted
    kNamed,       ///< the standby is (or is being) named in synchronous_standby_names; that commits wait is not proved yet
    kPromotable,  ///< proved: every acknowledged commit is on the standby
};

/// How far a failover has come; another decider continues from here.
enum class FailoverStep : std::uint8_t {
    kNone,
    kFenced,     ///< the new epoch is taken: the old primary is routed to no more, the standby's receiver is being stopped
    kDrained,    ///< the standby has replayed all it received and has no source of more
    kPromoting,  ///< pg_promote() may have been called
    kPromoted,   ///< the standby takes writes; a barrier on it was acknowledged
    kResolved,   ///< its prepared transactions that are decided have been finished
};

/// A shard: one record in the store, changed only by comparing its revision.
struct Shard {
    ShardId id{};
    std::string name{};  ///< "s1"
    Epoch epoch{1};
    NodeId primary{};    ///< from kFenced on: the one that is being promoted
    std::vector<Node> nodes{};
    std::optional<NodeId> standby{};  ///< the one that commits wait for, by `standing`
    Standing standing = Standing::kAlone;
    FailoverStep step = FailoverStep::kNone;
    Revision revision{};  ///< not part of the record's text

    const Node* find_node(NodeId node) const;
    const Node& primary_node() const;
    /// The node that a failover may promote now; null if nobody may be.
    const Node* promotable() const;
    /// False while a failover runs: the primary named here does not serve yet.
    bool serves() const { return step == FailoverStep::kNone; }

    friend bool operator==(const Shard&, const Shard&) = default;
};

/// The first thing wrong with a shard, or empty.
std::string fault_of(const Shard& shard);

std::string_view to_string(NodeState state);
std::string_view to_string(Standing standing);
std::string_view to_string(FailoverStep step);

}  // namespace pgmosaic::shardmap

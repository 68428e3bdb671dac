#include "replication/internal/record_steps.h"

#include <algorithm>

#include "base/error.h"

namespace pgmosaic::replication {

using shardmap::FailoverStep;
using shardmap::Node;
using shardmap::NodeState;
using shardmap::Shard;
using shardmap::Standing;

Shard with_node_state(Shard shard, NodeId id, NodeState state) {
    for (Node& node : shard.nodes) {
        if (node.id == id) node.state = state;
    }
    return shard;
}

Shard with_step(Shard shard, FailoverStep step) {
    shard.step = step;
    return shard;
}

Shard fenced(Shard shard) {
    PGM_CHECK(shard.promotable() != nullptr, "only a promotable standby takes over");
    const NodeId old = shard.primary;
    shard = with_node_state(std::move(shard), old, NodeState::kFenced);
    shard.primary = *shard.standby;
    shard.standby.reset();
    shard.standing = Standing::kAlone;
    ++shard.epoch.value;
    return with_step(std::move(shard), FailoverStep::kFenced);
}

Shard published(Shard shard) { return with_step(std::move(shard), FailoverStep::kNone); }

Shard named(Shard shard, NodeId standby) {
    shard.standby = standby;
    shard.standing = Standing::kNamed;
    return shard;
}

Shard proved(Shard shard) {
    shard.standing = Standing::kPromotable;
    return shard;
}

Shard alone(Shard shard) {
    shard.standing = Standing::kAlone;
    return shard;
}

const Node* other_node(const Shard& shard) {
    if (shard.standby) return shard.find_node(*shard.standby);
    const auto found = std::find_if(shard.nodes.begin(), shard.nodes.end(),
                                    [&](const Node& node) { return node.id != shard.primary; });
    return found == shard.nodes.end() ? nullptr : &*found;
}

const Node* fenced_node(const Shard& shard) {
    const auto found = std::find_if(shard.nodes.begin(), shard.nodes.end(), [&](const Node& node) {
        return node.id != shard.primary && node.state == NodeState::kFenced;
    });
    return found == shard.nodes.end() ? nullptr : &*found;
}

}  // namespace pgmosaic::replication

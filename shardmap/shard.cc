#include "shardmap/shard.h"

#include <algorithm>
#include <set>

#include "base/error.h"

namespace pgmosaic::shardmap {

namespace {

std::string quoted(std::string_view name) { return '"' + std::string(name) + '"'; }

std::string fault_of_nodes(const Shard& shard) {
    std::set<NodeId> ids;
    std::set<std::string> names;
    for (const Node& node : shard.nodes) {
        if (node.name.empty()) return "a node of shard " + quoted(shard.name) + " has no name";
        if (node.host.empty() || node.port == 0) return "node " + quoted(node.name) + " has no address";
        if (!ids.insert(node.id).second || !names.insert(node.name).second) {
            return "node " + quoted(node.name) + " is listed twice";
        }
    }
    return {};
}

}  // namespace

const Node* Shard::find_node(NodeId node) const {
    const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const Node& each) { return each.id == node; });
    return found == nodes.end() ? nullptr : &*found;
}

const Node& Shard::primary_node() const {
    const Node* node = find_node(primary);
    PGM_CHECK(node != nullptr, "a shard's primary is one of its nodes");
    return *node;
}

const Node* Shard::promotable() const {
    return standing == Standing::kPromotable && standby ? find_node(*standby) : nullptr;
}

std::string fault_of(const Shard& shard) {
    if (shard.name.empty()) return "a shard has no name";
    if (std::string fault = fault_of_nodes(shard); !fault.empty()) return fault;
    if (shard.epoch.value == 0) return "shard " + quoted(shard.name) + " has epoch 0";
    if (shard.find_node(shard.primary) == nullptr) return "the primary of shard " + quoted(shard.name) + " is none of its nodes";
    if (shard.standing != Standing::kAlone && !shard.standby) return "shard " + quoted(shard.name) + " waits for no standby";
    if (shard.standby && (shard.find_node(*shard.standby) == nullptr || *shard.standby == shard.primary)) {
        return "the standby of shard " + quoted(shard.name) + " is none of its other nodes";
    }
    return {};
}

std::string_view to_string(NodeState state) {
    switch (state) {
        case NodeState::kReady: return "ready";
        case NodeState::kFenced: return "fenced";
        case NodeState::kRebuilding: return "rebuilding";
    }
    return "?";
}

std::string_view to_string(Standing standing) {
    switch (standing) {
        case Standing::kAlone: return "alone";
        case Standing::kNamed: return "named";
        case Standing::kPromotable: return "promotable";
    }
    return "?";
}

std::string_view to_string(FailoverStep step) {
    switch (step) {
        case FailoverStep::kNone: return "none";
        case FailoverStep::kFenced: return "fenced";
        case FailoverStep::kDrained: return "drained";
        case FailoverStep::kPromoting: return "promoting";
        case FailoverStep::kPromoted: return "promoted";
        case FailoverStep::kResolved: return "resolved";
    }
    return "?";
}

}  // namespace pgmosaic::shardmap

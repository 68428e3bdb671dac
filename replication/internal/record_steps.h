#pragma once

#include "shardmap/shard.h"

namespace pgmosaic::replication {

/// The record after each step; pure. What is not mentioned stays as it is.

/// The standby of the record takes over: next epoch, nobody promotable, the old primary fenced.
shardmap::Shard fenced(shardmap::Shard shard);
/// A failover has ended: the shard serves.
shardmap::Shard published(shardmap::Shard shard);
/// Commits wait (or will wait) for this standby; that they do is not proved.
shardmap::Shard named(shardmap::Shard shard, NodeId standby);
shardmap::Shard proved(shardmap::Shard shard);
/// The primary may go on without its standby, which may not be promoted any more.
shardmap::Shard alone(shardmap::Shard shard);
shardmap::Shard with_step(shardmap::Shard shard, shardmap::FailoverStep step);
shardmap::Shard with_node_state(shardmap::Shard shard, NodeId node, shardmap::NodeState state);

/// The node that is or may become the standby: the recorded one, else the first that is not the primary; null if there is none.
const shardmap::Node* other_node(const shardmap::Shard& shard);
/// The primary of the epoch before, while its successor is on its way; null if it is not known.
const shardmap::Node* fenced_node(const shardmap::Shard& shard);

}  // namespace pgmosaic::replication

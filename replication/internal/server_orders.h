#pragma once

#include <string>

#include "base/task_group.h"
#include "replication/internal/server_session.h"
#include "shardmap/shard.h"

namespace pgmosaic::replication {

/// What a supervisor tells a server by SQL. Each can be repeated; that it has taken effect is seen by the next look.
///
/// Errors  the server's, 08006; 55000 for a commit of ours that its standby does not have

/// The standby gets no more WAL, from nobody: then nothing can be acknowledged to the old primary any more (PROTOCOLS 3.2).
Task<Result<void>> stop_receiver(ServerSession& standby, Deadline deadline);
Task<Result<void>> resume_replay(ServerSession& standby, Deadline deadline);
Task<Result<void>> promote(ServerSession& standby, Deadline deadline);
/// Takes back what stop_receiver() has changed for the time of a failover.
Task<Result<void>> forget_quick_retry(ServerSession& primary, Deadline deadline);
/// synchronous_standby_names; empty: commits wait for nobody.
Task<Result<void>> set_names(ServerSession& server, std::string names, Deadline deadline);
/// A standby that does not come back must not keep WAL on its primary.
Task<Result<void>> drop_slot(ServerSession& primary, std::string name, Deadline deadline);
/// The epoch row of `postgres` and an own commit, acknowledged by whom it takes: a barrier (PROTOCOLS 1.1, 3.7).
/// Returns the newest epoch that the server knows.
Task<Result<Epoch>> write_epoch(ServerSession& primary, Epoch epoch, std::string node, Deadline deadline);

/// The proof of PROTOCOLS 3.4: while the standby's replay is paused a commit on the primary (`committer`: where, with
/// synchronous_commit = remote_apply) is seen to wait for it, and is acknowledged once replay goes on; then the standby has
/// flushed all that the primary had. `tasks` is the caller's: a commit that hangs may outlast the proof.
Task<Result<void>> prove_waiting(TaskGroup& tasks, backend::ServerAddress committer, ServerSession& primary,
                                 ServerSession& standby, std::string standby_name, Deadline deadline);

}  // namespace pgmosaic::replication

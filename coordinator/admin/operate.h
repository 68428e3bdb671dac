#pragma once

#include <functional>

#include "coordinator/admin/answer_rows.h"
#include "coordinator/admin/arguments.h"

/// What operators ask: where a key is, a command on every shard, another primary.
namespace pgmosaic::coordinator {

/// mosaic.bucket_of(table, value): the bucket of a shard key, given as text. Errors: 0A000 if the table is not sharded
Task<std::vector<AnswerRow>> bucket_of(Session& session, const Arguments& arguments);
/// mosaic.shard_of(table, value): the name of the shard that owns it.
Task<std::vector<AnswerRow>> shard_of(Session& session, const Arguments& arguments);

/// Each shard runs the command on its own, in no common transaction; an error of one is part of the answer.
Task<std::vector<AnswerRow>> run_command_on_shards(Session& session, const Arguments& arguments);

/// mosaic.failover(shard), mosaic.switchover(shard). Errors: 42704 no such shard; the supervisor's
Task<> change_primary(Session& session, std::string shard, std::function<Task<Result<void>>(ShardId)> change);

/// mosaic.rebuild_standby(node), mosaic.remove_standby(node), mosaic.add_standby(shard). Errors: the supervisor's
Task<> change_standby(Session& session, std::string name, std::function<Task<Result<void>>(std::string)> change);

/// mosaic.pause(), mosaic.resume(): whether dead primaries are replaced without an operator.
void set_automatic_failover(Session& session, bool automatic);

}  // namespace pgmosaic::coordinator

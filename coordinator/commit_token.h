#pragma once

#include <string>

#include "base/ids.h"
#include "base/task.h"
#include "coordinator/core.h"
#include "coordinator/transaction.h"

namespace pgmosaic::coordinator {

/// The name by which a commit is found again in the WAL of whichever server survives (PROTOCOLS 3.3): a random word that
/// the transaction writes just before it commits. Transaction ids alone lie, because they are given out again.
struct CommitToken {
    std::string word{};            ///< 32 hex digits; empty: none was sent, and nothing can be found
    ShardId shard{};
    std::uint64_t epoch = 0;       ///< of the server that was asked to commit
    std::uint64_t floor = 0;       ///< the token is behind this WAL position
    int backend_pid = 0;           ///< of the server session that was asked
};

enum class Outcome : std::uint8_t { kUnknown, kCommitted, kAbsent };

/// A token for what this participant is about to commit; without a word if settings or circumstances say no.
CommitToken make_token(const Core& core, const Participant& participant);

/// What the transaction runs last: nothing where nothing was written, so that a read needs no commit record.
std::string token_sql(const CommitToken& token);
/// The same as a statement with one parameter, the word.
extern const char* const kTokenStatement;
/// … and where a user's function or trigger may have run: one of them may have lowered synchronous_commit, which no parameter
/// reports, and an acknowledged commit would be on one server only (PROTOCOLS 3.13).
extern const char* const kWaryTokenStatement;
/// What stands in front of a COMMIT or PREPARE TRANSACTION for the same reason.
inline constexpr const char* kCommitEverywhere = "SET LOCAL synchronous_commit = on;";

/// Lets pgmosaic read WAL; repeatable, run on every shard in every database. Without the contrib module nothing is made.
extern const char* const kTokenSchema;
std::string search_sql(const CommitToken& token);

/// What became of a commit whose server session was lost. Asked of the shard's primary, the same or another one, and true
/// behind a barrier only.
///
/// Lifetime  takes its own copies
/// Errors    none: what cannot be found out is kUnknown
/// Bound     twice pool.wait_timeout
Task<Outcome> find_outcome(Core& core, CommitToken token, std::string database);

}  // namespace pgmosaic::coordinator

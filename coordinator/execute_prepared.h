#pragma once

#include <string>

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// PREPARE TRANSACTION by a client whose transaction has written on the home shard only; any transaction where no table is spread.
/// Returns the tag. Errors: 0A000 for others; the transaction is then over.
Task<std::string> prepare_for_client(Session& session, std::string gid);
/// COMMIT PREPARED and ROLLBACK PREPARED of such a transaction.
Task<> finish_for_client(Session& session, const planner::Statement& statement);

}  // namespace pgmosaic::coordinator

#pragma once

#include <string>
#include <vector>

#include "coordinator/internal/shard_statement.h"

/// Snapshots of several shards that are one moment: PROTOCOLS 2.1 and 2.5.
namespace pgmosaic::coordinator {

/// One shard's part of a statement.
struct MomentPart {
    ShardReply& reply;
    std::string sql;
};

/// Sends a SELECT to several shards so that all of them answer by snapshots of one moment: Parse first, whose locks stay, then
/// the window, in it nothing but Bind, and Execute when all are bound. Too late for the window: bound again in another.
/// What `may_run_twice` is sent as a whole the first time, Execute behind Bind; if that was too late, its answers are thrown away.
///
/// Errors  a shard's error is in its reply, and all of them can be read to their ends; 57P03 if no window came in time;
///         ConnectionLost
Task<> send_at_one_moment(Session& session, const Request& request, std::vector<MomentPart> parts, ShardFormats formats, bool may_run_twice);

/// A portal that is to be opened on several shards and fetched from later.
struct NamedPortal {
    std::string name;
    std::string sql;
    std::vector<Oid> types;
    std::string_view bind_tail;  ///< formats, parameters and result formats, as in a Bind
    bool at_one_moment = false;  ///< its Binds are one window's
};

/// Opens it on the shards of `replies`, in their transactions, and ends the answers: the portals stay.
///
/// Errors  as send_at_one_moment()
Task<> open_portals(Session& session, std::vector<ShardReply>& replies, NamedPortal portal);

/// Opens the snapshots of transactions that have just begun on these server sessions (REPEATABLE READ), all at one moment, and
/// waits for them. `begin_sql` begins the transaction again if it was too late: then nothing has been done in it.
///
/// Errors  the shards', 57P03, 40001 if it was too late and `may_begin_again` is false; ConnectionLost
Task<> open_snapshots(Session& session, const std::vector<Participant*>& participants, std::string begin_sql, bool may_begin_again);

}  // namespace pgmosaic::coordinator

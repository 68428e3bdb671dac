#pragma once

#include <boost/json.hpp>

#include "coordinator/session.h"

/// The rows of our views, as JSON objects; see views.cc for their columns.
namespace pgmosaic::coordinator {

using JsonRows = boost::json::array;

// ---------------------------------------------------------------- of the map and of this process (rows_of_process.cc)
Task<JsonRows> table_rows(Session& session);
Task<JsonRows> bucket_rows(Session& session);
Task<JsonRows> client_rows(Session& session);
Task<JsonRows> pool_rows(Session& session);
Task<JsonRows> server_rows(Session& session);
Task<JsonRows> stat_rows(Session& session);
Task<JsonRows> event_rows(Session& session);
Task<JsonRows> setting_rows(Session& session);
Task<JsonRows> error_rows(Session& session);
Task<JsonRows> no_rows(Session& session);

// ---------------------------------------------------------------- asked of the servers (rows_of_servers.cc, status.cc)
Task<JsonRows> transaction_rows(Session& session);
Task<JsonRows> lock_rows(Session& session);
Task<JsonRows> shard_rows(Session& session);
Task<JsonRows> node_rows(Session& session);
/// One row, one member `status`: the contract's document "pgmosaic/status/1".
Task<JsonRows> status_rows(Session& session);

}  // namespace pgmosaic::coordinator

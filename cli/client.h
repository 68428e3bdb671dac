#pragma once

#include <string>

#include "base/error.h"
#include "replication/node/sql.h"

namespace pgmosaic::cli {

/// `--cluster`, else $PGMOSAIC_CLUSTER, else ./mosaic: a directory made by `up`, or a URI of libpq.
std::string cluster_of(const std::string& given);

/// A connection to the cluster's endpoint, as superuser where we know how.
/// Errors: 08006 nobody answers (exit code 3); 42704 there is no such directory
Result<node::Sql> connect_cluster(const std::string& cluster);

}  // namespace pgmosaic::cli

#pragma once

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

class Bench;

/// A statement that writes over rows of several shards: what it does to temporary tables on the workbench is done on the shards.
Task<> execute_workbench_write(Session& session, const Request& request);

/// Makes the tables that the request's workbench plan reads, and fills them with the rows of one moment. The answers of the workbench
/// are still to come: Bench::settle().
Task<> pull_tables(Session& session, const Request& request, Bench& bench);

}  // namespace pgmosaic::coordinator

#pragma once

#include "base/task.h"

namespace pgmosaic::coordinator {

class Cluster;

/// The defaults of a role or of a database have changed: no server session that began before serves another client. Those in use
/// are closed when they come back.
Task<> retire_servers(Cluster& cluster);

}  // namespace pgmosaic::coordinator

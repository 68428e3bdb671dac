#pragma once

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// Throws what PostgreSQL says to the parameters of a portal that no server session has bound, as it would at Bind. Asked on the
/// home shard, outside of any pipeline; nothing is executed.
Task<> check_bind(Session& session, const Portal& portal);

}  // namespace pgmosaic::coordinator

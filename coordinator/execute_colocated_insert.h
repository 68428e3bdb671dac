#pragma once

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// INSERT … SELECT where each shard inserts what it selects: what it reads it does not lock, so it must be read at one moment.
/// False: `request` is nothing of that kind, or needs no care; then nothing has been done. See execute.h.
Task<bool> insert_at_one_moment(Session& session, const Request& request);

}  // namespace pgmosaic::coordinator

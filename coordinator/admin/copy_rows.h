#pragma once

#include <cstdint>
#include <string>

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// Streams the answer of `COPY (…) TO STDOUT` on one participant of the session's transaction into `COPY … FROM STDIN` on
/// another one, without looking into the rows. Both must have been used before. Returns how many rows went over.
///
/// Errors  either server's; XX000 if they count differently
/// Bound   64 KiB and one row
Task<std::uint64_t> copy_rows(Session& session, ShardId from, std::string copy_out, ShardId to, std::string copy_in);

}  // namespace pgmosaic::coordinator

#pragma once

#include "coordinator/internal/replanned.h"

namespace pgmosaic::coordinator {

/// The home shard's statement with what the client's own session there does not know of its sequences.
std::string with_sequences(Session& session, const Request& request, std::string_view sql);

/// Plans the statement with the values of its calls of currval() and lastval(): Statement::lifts_reads.
/// Errors: the home shard's; 0A000 where no value can be told.
Task<> lift_sequence_reads(Session& session, const Request& outer, Replanned& lifted);

}  // namespace pgmosaic::coordinator

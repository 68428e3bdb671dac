#pragma once

#include <optional>

#include "coordinator/client_stream.h"
#include "wire/scram.h"

namespace pgmosaic::coordinator {

/// AuthenticationSASL … AuthenticationSASLFinal. Nothing: the proof does not fit.
///
/// Errors  PgError 08P01, 0A000, 28000: see wire::ScramServer; system_error when the client goes
/// Bound   a message of kSaslBytesMax
Task<std::optional<wire::ScramKeys>> exchange_scram(ClientStream& client, wire::ScramVerifier verifier);

}  // namespace pgmosaic::coordinator

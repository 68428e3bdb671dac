#pragma once

#include "base/error.h"

/// What a client is told about a server that was lost: DESIGN, "the client is told the truth".
namespace pgmosaic::coordinator {

/// Nothing has happened: retry is right.
Error server_lost();
/// Retry is wrong until the effect has been looked for.
Error statement_unknown();
/// It has happened, but the server's answer is gone.
Error answer_lost();
/// Temporary tables, listens or locks of the session went with the server.
Error session_state_lost();

}  // namespace pgmosaic::coordinator

#pragma once

#include <string_view>

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// Throws what PostgreSQL says of a text that the parser does not take: it has hints that the parser's library has not. Throws
/// `error` where PostgreSQL cannot be asked.
Task<> throw_syntax_error(Session& session, std::string_view sql, Error error);

}  // namespace pgmosaic::coordinator

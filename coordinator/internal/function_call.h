#pragma once

#include <string_view>

#include "base/task.h"

namespace pgmosaic::coordinator {

class Session;

/// FunctionCall of the protocol, which libpq's and pgJDBC's large objects are made of: those live on the home shard, and the call goes
/// there. Any other function is refused: it would see one shard's rows only. ReadyForQuery is the caller's.
Task<> call_function(Session& session, std::string_view body);

}  // namespace pgmosaic::coordinator

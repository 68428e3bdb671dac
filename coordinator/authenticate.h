#pragma once

#include "base/task.h"

namespace pgmosaic::coordinator {

class Session;

/// Lets the client show who it is, by the method that the rules name for it.
///
/// Core    the session's
/// Errors  PgError: 28000 no rule fits, or one refuses; 28P01 a wrong password or an unknown user, which look the same; 08P01;
///         57P03 when no server can be asked
Task<> authenticate(Session& session);

}  // namespace pgmosaic::coordinator

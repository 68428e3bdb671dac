#pragma once

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

inline constexpr int kReadAttemptsMax = 3;

/// A read whose server was lost may be run again: nothing has happened, and the client has seen nothing of the answer that
/// began at `begin`, which is taken back here.
inline bool may_repeat_read(Session& session, const Request& request, std::uint64_t begin) {
    // Answers that go elsewhere than to the client have been looked at by whoever takes them.
    const bool to_client = &session.answer() == &session.client().out();
    return !request.statement.writes && !session.transaction().open() && to_client && session.client().take_back(begin);
}

}  // namespace pgmosaic::coordinator

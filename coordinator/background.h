#pragma once

#include "backend/connection.h"

namespace pgmosaic::coordinator {

/// Work that blocks, on threads of its own.
class Background {
   public:
    /// Asks the server to cancel what the connection runs. The connection carries nothing more until the request's own
    /// socket has been closed by the server (PROTOCOLS 1.3): it is closed instead of reused.
    static void cancel_query(backend::Connection& connection);
    /// Waits for what is under way and ends the threads.
    static void stop();
};

}  // namespace pgmosaic::coordinator

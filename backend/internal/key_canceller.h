#pragma once

#include <cstdint>
#include <functional>

namespace pgmosaic::backend {

/// A CancelRequest to whoever is at the other end of `socket`, as PQcancel sends it: on a connection of its own, then waiting for
/// its end, for only then has the signal been sent (PROTOCOLS 1.3). Empty: the socket has no other end.
std::function<void()> key_canceller(int socket, std::int32_t pid, std::int32_t secret);

}  // namespace pgmosaic::backend

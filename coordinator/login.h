#pragma once

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/task.h"

namespace pgmosaic::coordinator {

class Cluster;

/// What a CancelRequest names: the session, and the secret it was told in BackendKeyData.
struct CancelKey {
    std::uint32_t id = 0;  ///< core in the upper 8 bits
    std::uint32_t secret = 0;
};
CancelKey read_cancel_key(std::string_view body);
/// Cancels what the session runs; a key that fits nobody is passed over in silence, as in PostgreSQL. Returns when the session knows: a
/// client that waits for the end of its request's connection may then send what must not be cancelled.
Task<> cancel_session(Cluster& cluster, CancelKey key);

inline std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

}  // namespace pgmosaic::coordinator

#include "cli/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace pgmosaic::cli {

namespace {

/// A socket bound to the port, or -1. Without `reuse` the kernel refuses a port that is kept or listened on.
int bound_socket(std::uint16_t port, bool reuse) {
    const int socket_number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_number < 0) return -1;
    const int on = reuse ? 1 : 0;
    setsockopt(socket_number, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(socket_number, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return socket_number;
    close(socket_number);
    return -1;
}

}  // namespace

Ports::~Ports() {
    for (const auto& [port, socket_number] : kept_) close(socket_number);
}

bool Ports::keep(std::uint16_t port) {
    if (kept_.count(port) != 0) return false;
    const int probe = bound_socket(port, false);
    if (probe < 0) return false;
    close(probe);
    const int socket_number = bound_socket(port, true);
    if (socket_number < 0) return false;
    kept_.emplace(port, socket_number);
    return true;
}

Result<std::uint16_t> Ports::keep_next(std::uint16_t first) {
    for (std::uint32_t port = first; port < first + 2000U && port < 65536; ++port) {
        if (keep(static_cast<std::uint16_t>(port))) return static_cast<std::uint16_t>(port);
    }
    return Error{.code = sqlstate::kObjectInUse, .message = "no free port from " + std::to_string(first) + " on"};
}

void Ports::release(std::uint16_t port) {
    const auto kept = kept_.find(port);
    if (kept == kept_.end()) return;
    close(kept->second);
    kept_.erase(kept);
}

bool is_port_used(std::uint16_t port) {
    // TIME_WAIT is no user: SO_REUSEADDR binds over it, and fails only where somebody listens.
    const int probe = bound_socket(port, true);
    if (probe < 0) return true;
    const bool used = listen(probe, 1) != 0;
    close(probe);
    return used;
}

}  // namespace pgmosaic::cli

#include "cli/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <string_view>
#include <thread>

#include "base/deadline.h"

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

namespace {

/// One `pgmosaic up` of this network namespace at a time looks for ports: between its look at a port and its hold on it
/// another one would find the port free, too. The kernel drops the name with its owner.
class ChoosingTurn {
   public:
    ChoosingTurn() : socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        const std::string_view text = "pgmosaic chooses ports";
        text.copy(name.sun_path + 1, text.size());  // abstract: begins with a zero, no file
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
        const Deadline deadline = Deadline::after(kTurnMax);
        while (bind(socket_, reinterpret_cast<const sockaddr*>(&name), length) != 0 && !deadline.passed()) {
            std::this_thread::sleep_for(2ms);
        }
    }
    ~ChoosingTurn() { close(socket_); }
    ChoosingTurn(const ChoosingTurn&) = delete;
    ChoosingTurn& operator=(const ChoosingTurn&) = delete;

   private:
    static constexpr auto kTurnMax = 2s;  // whoever holds it longer hangs: then both take their chance
    int socket_;
};

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
    const ChoosingTurn turn;
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

#include "backend/internal/key_canceller.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <string>

#include "wire/frame.h"
#include "wire/messages.h"

namespace pgmosaic::backend {

namespace {

struct Peer {
    sockaddr_storage address{};
    socklen_t bytes = sizeof(sockaddr_storage);
};

void send_cancel(const Peer& peer, const std::string& request) {
    const int socket = ::socket(peer.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return;
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&peer.address), peer.bytes) == 0 &&
        ::send(socket, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
        char nothing = 0;
        while (::recv(socket, &nothing, 1, 0) > 0) {
        }
    }
    ::close(socket);
}

}  // namespace

std::function<void()> key_canceller(int socket, std::int32_t pid, std::int32_t secret) {
    Peer peer;
    if (::getpeername(socket, reinterpret_cast<sockaddr*>(&peer.address), &peer.bytes) != 0) return {};
    std::string request;
    wire::put_int32(request, 16);
    wire::put_int32(request, wire::kCancelRequest);
    wire::put_int32(request, pid);
    wire::put_int32(request, secret);
    return [peer, request] { send_cancel(peer, request); };
}

}  // namespace pgmosaic::backend

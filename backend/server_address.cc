#include "backend/server_address.h"

#include <filesystem>

namespace pgmosaic::backend {

std::string nearest_host(const std::string& host, int port, const std::string& socket_directory) {
    if (socket_directory.empty() || (host != "127.0.0.1" && host != "::1" && host != "localhost")) return host;
    std::error_code unreadable;
    const auto socket = std::filesystem::status(socket_directory + "/.s.PGSQL." + std::to_string(port), unreadable);
    return socket.type() == std::filesystem::file_type::socket ? socket_directory : host;
}

}  // namespace pgmosaic::backend

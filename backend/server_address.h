#pragma once

#include <string>

namespace pgmosaic::backend {

/// Where a server is and as whom to log in.
struct ServerAddress {
    std::string host;      ///< a name, an address, or the directory of a Unix socket
    int port = 5432;
    std::string database;
    std::string user;
    std::string password{};
    std::string options{};  ///< `-c name=value …` for the session
    std::string application_name = "pgmosaic";
};

}  // namespace pgmosaic::backend

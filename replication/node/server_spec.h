#pragma once

#include <cstdint>
#include <string>

namespace pgmosaic::node {

/// One server of a cluster on this machine: where it lives and how it is reached.
struct ServerSpec {
    std::string name{};              ///< "s1a"; also its slot and its application_name as a standby
    std::string directory{};         ///< holds `data/` and our own files beside it, which pg_rewind must not touch
    std::string log_file{};
    std::string host = "127.0.0.1";  ///< where it listens
    std::uint16_t port = 0;
    std::string socket_directory{};  ///< empty: TCP only
    std::string user_settings{};     ///< a file of the operator's that is read last, if it exists
    std::string superuser = "postgres";
    int shared_buffers_megabytes = 64;

    std::string data_directory() const { return directory + "/data"; }
};

/// How libpq gets there.
std::string conninfo(const ServerSpec& server, const std::string& database = "postgres",
                     const std::string& application_name = "pgmosaic");

/// Our settings of the server, read instead of the data directory's own file, which they include.
std::string server_settings(const ServerSpec& server);
/// Trust for this machine, nobody else.
std::string access_rules();
/// `postgresql.auto.conf` of a standby, new after every clone and rewind: what came with the copy is not for this
/// server (it would wait for itself, PROTOCOLS 3.9).
std::string standby_settings(const ServerSpec& standby, const ServerSpec& primary);

}  // namespace pgmosaic::node

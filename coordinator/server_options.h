#pragma once

#include <string>
#include <vector>

#include "backend/server_address.h"
#include "base/deadline.h"

namespace pgmosaic::coordinator {

/// What the endpoint is told by the configuration, once; see live.h for what may change.
struct ServerOptions {
    std::string cluster = "app";
    std::vector<std::string> listen{"127.0.0.1:6432"};  ///< `host:port` or `unix:/directory`
    std::string console{};                              ///< `host:port` of the console; empty: none
    int threads = 0;                                    ///< 0: one per core
    bool session_pooling = false;           ///< a client keeps the server sessions that it has used
    std::string service_user = "postgres";  ///< pgmosaic's own login on the shards
    std::string service_password{};
    backend::ServerTls server_tls{};
    std::string socket_directory{};         ///< of servers on this machine; empty: they are reached by TCP
    std::string workbench_host{};           ///< empty: there is none
    int workbench_port = 0;
    int workbench_pid = 0;
    std::uint64_t memory_bytes_max = std::uint64_t{2} << 30;
    Clock::duration failover_detect = 2s;
    bool without_standby_continue = true;
    bool commit_tokens = true;  ///< writes carry a token by which their outcome is found after a failover

    /// pgmosaic's own login on a server.
    backend::ServerAddress service_address(std::string host, int port, std::string database) const {
        return {.host = std::move(host), .port = port, .database = std::move(database), .user = service_user,
                .password = service_password, .tls = server_tls};
    }
};

}  // namespace pgmosaic::coordinator

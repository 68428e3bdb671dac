#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/deadline.h"

namespace pgmosaic::coordinator {

/// What the endpoint is told by the configuration.
struct ServerOptions {
    std::string cluster = "app";
    std::vector<std::string> listen{"127.0.0.1:6432"};  ///< `host:port` or `unix:/directory`
    std::string console{};                              ///< `host:port` of the console; empty: none
    int threads = 0;                                    ///< 0: one per core
    int clients_max = 10000;
    int per_shard_max = 40;
    Clock::duration wait_timeout = 5s;
    std::string service_user = "postgres";  ///< pgmosaic's own login on the shards
    std::string service_password{};
    std::string workbench_host{};           ///< empty: there is none
    int workbench_port = 0;
    int workbench_pid = 0;
    std::uint64_t workbench_bytes_max = std::uint64_t{4} << 30;
    std::uint64_t memory_bytes_max = std::uint64_t{2} << 30;
    bool automatic_failover = true;
    Clock::duration failover_detect = 2s;
    bool without_standby_continue = true;
    bool commit_tokens = true;  ///< writes carry a token by which their outcome is found after a failover
    std::map<std::string, std::string> settings_shown{};  ///< Config::shown, for mosaic.settings
};

}  // namespace pgmosaic::coordinator

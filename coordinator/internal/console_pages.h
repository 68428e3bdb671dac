#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "replication/shard_status.h"

/// What the console answers, made of what the supervision knows.
namespace pgmosaic::coordinator {

struct ConsoleFacts {
    std::vector<replication::ShardStatus> shards;
    std::uint64_t map_version = 0;
    std::size_t clients = 0;
};

struct ConsolePage {
    int status = 200;  ///< HTTP
    std::string type = "text/plain; charset=utf-8";
    std::string body;
};

/// `/health/live`, `/health/ready`, `/health/shard/NAME/primary`: 200 or 503; `/metrics`; anything else: 404.
ConsolePage console_page(std::string_view path, const ConsoleFacts& facts);

/// The path of a request's first line; empty if it is no GET or HEAD.
std::string_view requested_path(std::string_view request);

}  // namespace pgmosaic::coordinator

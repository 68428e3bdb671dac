#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/cluster_file.h"
#include "cli/directory.h"
#include "cli/exit_code.h"
#include "cli/report.h"

namespace pgmosaic::cli {

/// What `up` was asked for; what is not given is as it was, or as the contract says for a new cluster.
struct UpOptions {
    std::string directory = "mosaic";
    std::optional<std::size_t> shards{};
    bool no_standby = false;
    std::optional<std::uint16_t> port{};
    std::uint16_t console = 0;  ///< 0: none
    std::string sample{};
    bool foreground = false;
    std::string user = "postgres";
};

/// What an existing cluster and the wishes of a second `up` disagree about. Errors: 42710
Result<void> check_wishes(const UpOptions& options, const Layout& layout, const ClusterFile& cluster);

/// The process behind a cluster that `up` made: makes or starts the servers, is the endpoint until SIGTERM, stops them.
ExitCode run_daemon(const UpOptions& options, const Layout& layout, const Account& account, Reporter& reporter);

}  // namespace pgmosaic::cli

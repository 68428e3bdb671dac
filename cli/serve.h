#pragma once

#include <string>

#include "cli/exit_code.h"

namespace pgmosaic::cli {

/// `pgmosaic serve -c FILE`: the endpoint on servers that already exist, until SIGTERM.
ExitCode serve(const std::string& config_file);

/// `pgmosaic check FILE [--online]`.
ExitCode check(const std::string& config_file, bool online);

/// `pgmosaic init [FILE]`: without a file, to standard output.
ExitCode init(const std::string& file);

}  // namespace pgmosaic::cli

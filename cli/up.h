#pragma once

#include <string>

#include "cli/daemon.h"
#include "cli/exit_code.h"

namespace pgmosaic::cli {

/// `pgmosaic up`: returns when the endpoint answers, or with what was wrong.
ExitCode up(const UpOptions& options);

/// `pgmosaic down`.
ExitCode down(const std::string& directory, bool destroy, bool dry_run);

}  // namespace pgmosaic::cli

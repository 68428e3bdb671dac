#pragma once

#include <string>

#include "cli/exit_code.h"
#include "cli/output.h"

namespace pgmosaic::cli {

/// What `status` was asked for.
struct StatusOptions {
    Format format = Format::kTable;
    bool check = false;
    double watch_seconds = 0;  ///< 0: once
};

ExitCode status(const std::string& cluster, const StatusOptions& options);

/// The screen for people, from the document of schema pgmosaic/status/1.
std::string status_screen(const boost::json::value& status, bool wide);
/// One line per node.
std::string status_csv(const boost::json::value& status);
/// 0, 8 or 9.
ExitCode status_verdict(const boost::json::value& status);

}  // namespace pgmosaic::cli

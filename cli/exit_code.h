#pragma once

#include "base/error.h"

namespace pgmosaic::cli {

/// What the program ends with; scripts rely on the numbers.
enum class ExitCode : int {
    kDone = 0,
    kFailed = 1,
    kUsage = 2,        ///< usage or configuration
    kUnreachable = 3,  ///< cannot reach the cluster
    kRefused = 4,
    kNotFound = 5,
    kConflict = 6,
    kTimedOut = 7,  ///< the job goes on
    kDegraded = 8,  ///< a shard without standby
    kDown = 9,      ///< a shard without primary
};

/// For an error that a server or one of our own parts reported.
ExitCode exit_code_of(const Error& error);

/// `pgmosaic: message`, DETAIL and HINT on lines of their own, to standard error.
void print_error(const Error& error);

/// Prints it and gives its code.
ExitCode fail(const Error& error);

}  // namespace pgmosaic::cli

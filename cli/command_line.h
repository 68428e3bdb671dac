#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace pgmosaic::cli {

/// Reads the arguments and does what they say.
ExitCode run_command_line(int argument_count, char** arguments);

/// A script that completes the verbs in a shell; empty: we do not know the shell.
std::string completion_script(const std::string& shell);

}  // namespace pgmosaic::cli

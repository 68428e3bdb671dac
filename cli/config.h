#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/settings.h"

namespace pgmosaic::cli {

/// One thing that is wrong with a configuration file, and where.
struct Problem {
    int line = 0;    ///< from 1; 0: the file as a whole
    int column = 0;  ///< from 1, in characters
    int length = 1;  ///< how many characters are marked
    std::string message{};
    std::string hint{};  ///< printed behind the mark
};

/// What reading a file gives: a configuration that may be used only if there are no problems.
struct ConfigCheck {
    Config config{};
    std::vector<Problem> problems{};  ///< in the order of the file
    std::string text{};               ///< the file, for quoting
};

/// Checks all of `text`. `file` is for messages and as the anchor of relative paths.
ConfigCheck check_config(const std::string& file, std::string text);

/// The same for a file; one that cannot be read is a problem of line 0.
ConfigCheck check_config_file(const std::string& file);

/// All defaults, for an own cluster that `up` has made.
Config default_config();

/// `file:line:column: error: …`, the line, a caret and the hint.
std::string render_problem(const Problem& problem, const std::string& file, std::string_view text);
/// All of them, one after the other.
std::string render_problems(const ConfigCheck& check, const std::string& file);

/// A commented configuration of nothing but defaults, which checks without errors.
std::string initial_config();

}  // namespace pgmosaic::cli

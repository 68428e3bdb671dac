#pragma once

#include <spdlog/spdlog.h>

#include <string>
#include <string_view>

namespace pgmosaic {

/// Sends the log to standard error, one line per event: time level part event key=value …
void open_log(std::string_view level);
void set_log_level(std::string_view level);

/// `key=value` of a log line; a value with blanks or quotes is quoted.
std::string log_field(std::string_view key, std::string_view value);

}  // namespace pgmosaic

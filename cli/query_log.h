#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgmosaic::cli {

/// The statements of a file: SQL with semicolons (psql's backslash commands are left out), or a log of PostgreSQL (`log_statement`,
/// `log_min_duration_statement`, stderr format), whose statements stand behind `LOG:  statement: ` or `LOG:  execute name: `.
std::vector<std::string> statements_of(std::string_view file);

}  // namespace pgmosaic::cli

#pragma once

#include <string_view>
#include <vector>

namespace pgmosaic::planner {

/// The statements of a text, without the semicolons between them, empty ones left out. What is in quotes, in comments or within
/// brackets separates nothing; behind what the lexer cannot read (an unterminated string) all is one statement.
std::vector<std::string_view> split_statements(std::string_view sql);

}  // namespace pgmosaic::planner

#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace pgmosaic {

/// A number, string, true, false or null as people write it: 668.5, where Boost writes 6.685E2.
std::string json_scalar(const boost::json::value& value);
/// On one line: `{"a": 1}`
std::string json_line(const boost::json::value& value);
/// A member or item a line, indented by two.
std::string json_indented(const boost::json::value& value);

}  // namespace pgmosaic

#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "replication/node/sql.h"

namespace pgmosaic::cli {

enum class Format { kTable, kWide, kJson, kYaml, kCsv };

/// Columns as wide as they need to be, numbers to the right; the last column is not padded.
std::string format_table(const std::vector<std::string>& columns, const std::vector<std::vector<std::string>>& rows);

/// Rows of a statement. `narrow`: how many columns the plain table shows; 0: all.
std::string format_rows(const node::SqlRows& rows, Format format, std::size_t narrow = 0);

/// A tree in block style.
std::string format_yaml(const boost::json::value& value);
/// Indented by two.
std::string format_json(const boost::json::value& value);

/// `1.5 GiB`
std::string human_bytes(double bytes);

}  // namespace pgmosaic::cli

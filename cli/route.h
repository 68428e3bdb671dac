#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "planner/catalog.h"

namespace pgmosaic::cli {

/// What `route` was asked for.
struct RouteOptions {
    std::string file{};                     ///< `-`: standard input
    std::vector<std::string> keys{};        ///< `table=column`: as if it were sharded so
    std::vector<std::string> references{};  ///< tables: as if they were reference tables
    Format format = Format::kTable;
};

/// Changes the planner's catalog document as if the tables were placed so; a key joins the tables that have one of the same type.
/// Errors: 42P01, 42703 no such table or column; 42601 a key without `=`
Result<void> propose_placements(const RouteOptions& options, boost::json::value& catalog);

/// How many statements go which way, and why: plan, statements, percent, reason, example. The most frequent first.
node::SqlRows routes_of(const std::vector<std::string>& statements, std::shared_ptr<const planner::Catalog> catalog);

/// Plans the statements of a file, runs none of them.
ExitCode route(const RouteOptions& options, const std::string& cluster);

}  // namespace pgmosaic::cli

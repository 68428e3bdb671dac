#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "base/ids.h"

/// What EXPLAIN prints for a statement that is not one server's alone: our node, and below it the plans of PostgreSQL.
namespace pgmosaic::coordinator {

/// PostgreSQL's plan of what one server gets.
struct ServerPlan {
    std::string server;             ///< shard name
    std::string pull{};             ///< the temporary table that its rows fill on the workbench; empty: none
    std::string statement{};        ///< where it differs from the one above
    std::vector<std::string> rows;  ///< as EXPLAIN returned them: lines, or one JSON document
    std::optional<double> ms{};     ///< ANALYZE: until its answer was there
};

struct Explanation {
    std::string node;  ///< "Mosaic Scatter"
    std::string reason{};
    std::vector<std::string> shards{};
    std::string statement{};  ///< what they get, or what the workbench runs; empty: nothing of the kind
    std::string rows_of{};    ///< the query whose rows are written
    /// ANALYZE of what was run as a whole.
    std::optional<std::uint64_t> rows{};
    std::optional<std::uint64_t> bytes{};
    std::optional<double> ms{};
    std::vector<ServerPlan> plans{};
};

/// A line each, shaped like PostgreSQL's own.
std::vector<std::string> text_of(const Explanation& explanation);

/// One document of the shape of EXPLAIN (FORMAT JSON): `[{"Plan": {"Node Type": …, "Plans": […]}, "Execution Time": ms}]`; the servers'
/// plans are children of ours, with a "Shard" each. Errors: throws XX000 if a server's document is not of that shape.
std::string json_of(const Explanation& explanation);

}  // namespace pgmosaic::coordinator

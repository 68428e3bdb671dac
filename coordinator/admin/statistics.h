#pragma once

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// A view of pg_catalog that counts what happened to the tables of one server.
struct StatisticsView {
    std::string_view name;
    /// In the view's order; `=` marks what names a row, `+` what is summed, `>` of what the latest counts, `.` what the home shard says.
    std::string_view columns;
};

/// nullptr: there is none of that name.
const StatisticsView* find_statistics_view(std::string_view name);

/// What a client may put in FROM instead of the view: the home shard's rows, with what the other shards count for sharded tables.
/// Throws what a shard says.
Task<std::string> statistics_sql(Session& session, const StatisticsView& view);

}  // namespace pgmosaic::coordinator

#pragma once

#include <string>
#include <string_view>

#include "planner/internal/analysis.h"
#include "planner/internal/statement.h"

namespace pgmosaic::planner {

/// What stands in a text for a moment that is not known yet: nobody types control characters.
inline constexpr std::string_view kTransactionTimePlace = "\x01" "transaction\x01";
inline constexpr std::string_view kStatementTimePlace = "\x01" "statement..\x01";
static_assert(kTransactionTimePlace.size() == kStatementTimePlace.size());

/// Gives a statement that several servers run a text with places for the moment instead of now(), CURRENT_DATE and their kind; nothing
/// happens where its text cannot be changed word by word.
void place_times(const pg_query::Node& node, const QueryAnalysis& analysis, StatementText text, Statement& statement);

/// A column's default with places for the moment; empty if it does not tell the time.
std::string default_with_places(const std::string& default_expr);

}  // namespace pgmosaic::planner

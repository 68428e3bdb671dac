#pragma once

#include <string>
#include <string_view>

namespace pgmosaic::planner {

/// A statement that several servers run has one now(), as it has on one (PROTOCOLS 5.8): its text comes with places for the moment,
/// Statement::rewritten, which is planned anew once the moment is known.
///
/// True if the text has such places.
bool has_time_places(std::string_view text);

/// The text with the transaction's and the statement's moment, both as timestamptz in ISO form, in the places.
std::string with_times(std::string_view text, std::string_view transaction_time, std::string_view statement_time);

}  // namespace pgmosaic::planner

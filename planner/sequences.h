#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgmosaic::planner {

/// What currval() and lastval() tell is known to the client's session, not to a server: rows of sharded tables take values of sequences
/// before they are sent to their shards. All of these throw PgError for a text that is none.

/// Each call of them in the statement, as SQL, in the order that with_sequence_values() wants their values in.
std::vector<std::string> sequence_reads(std::string_view sql);
/// The statement with each call replaced by its value, an int8.
std::string with_sequence_values(std::string_view sql, const std::vector<std::string>& values);
/// The statement with pg_mosaic's functions in their place, which look into `document` first: see SequenceState.
std::string with_sequence_state(std::string_view sql, std::string_view document);

}  // namespace pgmosaic::planner

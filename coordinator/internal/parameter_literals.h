#pragma once

#include <string>
#include <vector>

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// Literals and the names of their types, by parameter: see planner::substitute_parameters().
struct ParameterLiterals {
    std::vector<std::string> values;
    std::vector<std::string> types;
};

/// The values that a Bind brings, as SQL: for statements that the protocol cannot give parameters to.
///
/// Errors  the home shard's, which is asked for the types' names and for what binary values look like
Task<ParameterLiterals> parameter_literals(Session& session, const Request& request);

}  // namespace pgmosaic::coordinator

#pragma once

#include <string>

#include "coordinator/core.h"

namespace pgmosaic::coordinator {

/// Rows and checksum of a table, as SQL that gives one text.
std::string table_sum_sql(const std::string& table);

struct Comparison {
    bool same = false;
    std::string detail{};
};

/// Reads a table on a primary and on its standby as of the same moment. `table` is quoted and qualified.
///
/// Errors  as values: what could not be reached or locked. The locks go with the connections, whatever happens.
Task<Result<Comparison>> compare_with_standby(backend::ServerAddress primary, backend::ServerAddress standby, std::string table);

}  // namespace pgmosaic::coordinator

#pragma once

#include <string>
#include <vector>

namespace pgmosaic::testing {

/// SELECTs over the tables of select_parity/random_schema.sql, made by putting together every source of rows, every condition
/// and every shape of the answer of a short list: some tens of thousands, always in the same order. Where one has ORDER BY at
/// its top, it names all columns of the answer.
std::vector<std::string> all_statement_forms();

}  // namespace pgmosaic::testing

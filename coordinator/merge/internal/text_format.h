#pragma once

#include <string>
#include <string_view>

#include "base/ids.h"

namespace pgmosaic::merge {

/// As float8out and float4out print with extra_float_digits ≥ 1, which every session of PostgreSQL
/// 12 and later has unless it asks for less: the fewest digits that lie strictly between the
/// halfway points to the neighbours.
void append_text(double value, std::string& out);
void append_text(float value, std::string& out);

/// The text format of a value in binary format, for the types that aggregates yield: bool,
/// int2/4/8, float4/8, numeric.
void append_text(Oid type, std::string_view binary, std::string& out);

}  // namespace pgmosaic::merge

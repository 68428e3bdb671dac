#pragma once

#include <optional>

#include "base/ids.h"

namespace pgmosaic::planner {

/// OIDs of PostgreSQL's own types; fixed by the server's catalog headers, equal in every database.
namespace type {
inline constexpr Oid kBool = 16;
inline constexpr Oid kBytea = 17;
inline constexpr Oid kChar = 18;  ///< "char", one byte
inline constexpr Oid kName = 19;
inline constexpr Oid kInt8 = 20;
inline constexpr Oid kInt2 = 21;
inline constexpr Oid kInt4 = 23;
inline constexpr Oid kText = 25;
inline constexpr Oid kOid = 26;
inline constexpr Oid kFloat4 = 700;
inline constexpr Oid kFloat8 = 701;
inline constexpr Oid kMoney = 790;
inline constexpr Oid kBpchar = 1042;
inline constexpr Oid kVarchar = 1043;
inline constexpr Oid kDate = 1082;
inline constexpr Oid kTime = 1083;
inline constexpr Oid kTimestamp = 1114;
inline constexpr Oid kTimestampTz = 1184;
inline constexpr Oid kInterval = 1186;
inline constexpr Oid kTimeTz = 1266;
inline constexpr Oid kNumeric = 1700;
inline constexpr Oid kUuid = 2950;
inline constexpr Oid kLsn = 3220;
}  // namespace type

/// True if the merge can compare values of this type exactly as the server does: ORDER BY, GROUP BY, DISTINCT, min, max.
/// Text types: in the order of bytes or of a libc locale, see SortKey; a nondeterministic collation never.
bool merge_compares(Oid oid);

/// True for text, varchar, bpchar and name: the order depends on the collation.
bool merge_needs_collation(Oid oid);

/// How sum(x) and avg(x) are taken apart for an argument of this type; nullopt: not by the merge.
struct PartialSum {
    Oid sum_type;      ///< of the shards' `sum(x)`
    Oid avg_sum_type;  ///< of the shards' sum for avg
    Oid avg_type;      ///< of avg(x)
    bool avg_widens;   ///< avg needs `sum(x::double precision)`: float4 would round each partial
};
std::optional<PartialSum> merge_sums(Oid argument);

/// True if bit_and and bit_or of this type can be combined.
bool merge_bits(Oid oid);

}  // namespace pgmosaic::planner

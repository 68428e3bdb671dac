#pragma once

#include <optional>
#include <string>

#include "base/ids.h"

namespace pgmosaic::shardmap {

/// Object identifiers of the built-in types that can be shard keys; fixed for ever by PostgreSQL (pg_type.dat).
inline constexpr Oid kByteaOid = 17;
inline constexpr Oid kInt8Oid = 20;
inline constexpr Oid kInt2Oid = 21;
inline constexpr Oid kInt4Oid = 23;
inline constexpr Oid kTextOid = 25;
inline constexpr Oid kBpcharOid = 1042;
inline constexpr Oid kVarcharOid = 1043;
inline constexpr Oid kDateOid = 1082;
inline constexpr Oid kTimestampOid = 1114;
inline constexpr Oid kTimestamptzOid = 1184;
inline constexpr Oid kNumericOid = 1700;
inline constexpr Oid kUuidOid = 2950;

/// Types of one family hash equal values equally, so their tables can be colocated and compared across.
enum class KeyFamily : std::uint8_t { kInteger, kText, kBpchar, kUuid, kDate, kTimestamp, kTimestamptz, kBytea, kNumeric };

/// The family of a type that can be a shard key; nullopt for every other type.
std::optional<KeyFamily> key_family(Oid type);

/// True if the parity test covers the type: our hash and the server's agree. Collations are the caller's to check:
/// a text column with a nondeterministic one cannot be a key ('abc' = 'ABC', other bucket).
bool supported_key_type(Oid type);

/// Why a type cannot be a shard key: a whole sentence for DETAIL. Empty if it can.
std::string why_not_a_key(Oid type);

}  // namespace pgmosaic::shardmap

#include "shardmap/key_types.h"

namespace pgmosaic::shardmap {

namespace {

constexpr Oid kBoolOid = 16;
constexpr Oid kFloat4Oid = 700;
constexpr Oid kFloat8Oid = 701;
constexpr Oid kFirstUserOid = 16384;  // FirstNormalObjectId: everything above was made by a user

}  // namespace

std::optional<KeyFamily> key_family(Oid type) {
    switch (type) {
        case kInt2Oid:
        case kInt4Oid:
        case kInt8Oid: return KeyFamily::kInteger;
        case kTextOid:
        case kVarcharOid: return KeyFamily::kText;
        case kBpcharOid: return KeyFamily::kBpchar;
        case kUuidOid: return KeyFamily::kUuid;
        case kDateOid: return KeyFamily::kDate;
        case kTimestampOid: return KeyFamily::kTimestamp;
        case kTimestamptzOid: return KeyFamily::kTimestamptz;
        case kByteaOid: return KeyFamily::kBytea;
        case kNumericOid: return KeyFamily::kNumeric;
        default: return std::nullopt;
    }
}

bool supported_key_type(Oid type) { return key_family(type).has_value(); }

std::string why_not_a_key(Oid type) {
    if (supported_key_type(type)) return {};
    if (type == kFloat4Oid || type == kFloat8Oid) {
        return "Floating-point numbers that print alike need not be equal, so a row could not be found by its key.";
    }
    if (type == kBoolOid) return "A boolean has two values only and cannot spread rows.";
    if (type >= kFirstUserOid) {
        return "Types made by users (enums, composites, ranges …) have another OID on each server, and enums are hashed by it.";
    }
    return "Only types whose hash is proved equal here and on the servers can be a shard key: smallint, integer, bigint, "
           "numeric, text, varchar, char, uuid, date, timestamp, timestamptz, bytea.";
}

}  // namespace pgmosaic::shardmap

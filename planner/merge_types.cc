#include "planner/merge_types.h"

namespace pgmosaic::planner {

bool merge_compares(Oid oid) {
    switch (oid) {
        case type::kBool:
        case type::kBytea:
        case type::kChar:
        case type::kName:
        case type::kInt8:
        case type::kInt2:
        case type::kInt4:
        case type::kText:
        case type::kOid:
        case type::kFloat4:
        case type::kFloat8:
        case type::kMoney:
        case type::kBpchar:
        case type::kVarchar:
        case type::kDate:
        case type::kTime:
        case type::kTimestamp:
        case type::kTimestampTz:
        case type::kInterval:
        case type::kTimeTz:
        case type::kNumeric:
        case type::kUuid:
        case type::kLsn:
            return true;
        default:
            return false;
    }
}

bool merge_needs_collation(Oid oid) {
    return oid == type::kText || oid == type::kVarchar || oid == type::kBpchar ||
           oid == type::kName;
}

std::optional<PartialSum> merge_sums(Oid argument) {
    switch (argument) {
        case type::kInt2:
        case type::kInt4:
            return PartialSum{type::kInt8, type::kInt8, type::kNumeric, false};
        case type::kInt8:
        case type::kNumeric:
            return PartialSum{type::kNumeric, type::kNumeric, type::kNumeric, false};
        case type::kFloat4:
            return PartialSum{type::kFloat4, type::kFloat8, type::kFloat8, true};
        case type::kFloat8:
            return PartialSum{type::kFloat8, type::kFloat8, type::kFloat8, false};
        default:
            return std::nullopt;
    }
}

bool merge_bits(Oid oid) {
    return oid == type::kInt2 || oid == type::kInt4 || oid == type::kInt8;
}

}  // namespace pgmosaic::planner

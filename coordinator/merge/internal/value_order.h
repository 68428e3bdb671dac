#pragma once

#include <clocale>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace pgmosaic::merge {

/// How the values of one type compare, in their binary format.
///
/// Errors  make: 0A000 for a type that is not comparable here, or a locale that this machine does
/// not have;
///         all others: 08P01 for bytes that are no value of the type
/// Source  PostgreSQL 15's default B-tree operator classes: NaN is the greatest float and numeric
/// and equals itself, -0
///         equals 0; intervals by their microseconds, a month being 30 days and a day 24 hours;
///         timetz by the moment in UTC, then by the zone; trailing blanks of bpchar do not count
class ValueOrder {
 public:
    /// `locale`: of text types, empty for byte order.
    static ValueOrder make(Oid type, const std::string& locale);

    int compare(std::string_view a, std::string_view b) const;
    /// Eight bytes in the order of the values. Values that differ may share them unless
    /// prefix_is_exact().
    std::uint64_t prefix(std::string_view value) const;
    bool prefix_is_exact() const { return exact_; }
    /// Appends bytes that are equal exactly if the values are.
    void append_identity(std::string_view value, std::string& out) const;

 private:
    enum class Kind : std::uint8_t {
        kByte,
        kInt2,
        kInt4,
        kInt8,
        kOid,
        kUint8,
        kFloat4,
        kFloat8,
        kNumeric,
        kBytes,
        kBpchar,
        kInterval,
        kTimeTz,
    };
    struct LocaleFree {
        void operator()(locale_t locale) const;
    };

    static Kind kind_of(Oid type);
    int compare_locale(std::string_view a, std::string_view b) const;

    Kind kind_ = Kind::kBytes;
    bool exact_ = false;
    std::shared_ptr<std::remove_pointer_t<locale_t>>
        locale_;  // copies of one order share it; freed with the last
};

}  // namespace pgmosaic::merge

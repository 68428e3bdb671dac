#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace pgmosaic::coordinator {

/// The array type of a built-in scalar type whose binary format is the same on every server; 0 for all others, which travel as
/// text.
Oid array_type_of(Oid type);

/// The type of arrays of text.
inline constexpr Oid kTextArrayOid = 1009;

/// Values of one column, one after the other, as one array in PostgreSQL's binary format:
///
///   0   int32  dimensions: 1, or 0 where there are no values
///   4   int32  1 if any value is NULL
///   8   int32  the elements' type
///   12  int32  number of values, then int32 1, the first subscript; both only where there are values
///   20         for each value int32 its length, -1 for NULL, and its bytes
///
/// Source  PostgreSQL 15, array_recv
class ColumnArray {
   public:
    explicit ColumnArray(Oid element) : element_(element) {}

    void add(std::string_view value);
    void add_null();
    std::size_t size() const { return count_; }
    std::size_t bytes() const { return values_.size(); }
    /// Appends the array with its own length word in front, as Bind wants it.
    void write(std::string& out) const;
    void clear();

   private:
    Oid element_;
    std::string values_;
    std::size_t count_ = 0;
    bool nulls_ = false;
};

/// Takes a DataRow's body apart. A NULL has a null data().
/// Errors: 08P01 if it has not `count` columns.
void read_values(std::string_view body, std::size_t count, std::vector<std::string_view>& values);

}  // namespace pgmosaic::coordinator

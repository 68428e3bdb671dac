#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pgmosaic::merge {

/// A column's bytes; nullopt is NULL.
using Value = std::optional<std::string_view>;

/// The number of columns at the start of a DataRow's body.
inline constexpr std::size_t kCountBytes = 2;

/// The body of a DataRow.
///
///     offset  bytes
///     0       2      number of columns
///     2       4      length of the first value, -1 for NULL
///     6       n      its bytes, and so on
struct RowLayout {
    std::uint16_t visible = 0;
    std::uint16_t hidden = 0;

    std::size_t columns() const { return std::size_t{visible} + hidden; }
    /// Where the hidden columns begin. Checks the whole row. Errors: 08P01.
    std::size_t check(std::string_view body) const;
    /// Fills `values` with all columns. Errors: 08P01.
    void read(std::string_view body, std::vector<Value>& values) const;
};

/// The value `index` steps after `at`, in a row that has been checked.
Value value_after(const char* at, std::size_t index);

/// Appends a DataRow frame whose columns, lengths included, are `values`.
void append_frame(std::uint16_t columns, std::string_view values, std::string& out);

/// Builds one DataRow frame column by column.
class FrameWriter {
 public:
    FrameWriter(std::uint16_t columns, std::string& out);
    void value(const Value& value);
    /// Writes the frame's length; no value may follow.
    void finish();

 private:
    std::string& out_;
    std::size_t begin_;
};

}  // namespace pgmosaic::merge

#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pgmosaic::coordinator {

/// Field `number` (from 0) of a line in COPY's text format, as it is written; nullopt if the line has fewer.
std::optional<std::string_view> find_text_field(std::string_view line, char delimiter, int number);
/// Backslash sequences undone, as COPY FROM does.
void unescape_text_field(std::string_view field, std::string& value);

struct CsvField {
    std::string_view value;  ///< points into the line, or into the caller's buffer
    bool quoted = false;     ///< anywhere in it: then it is never NULL
};
/// Field `number` of a CSV record; nullopt if it has fewer, or a quote is not closed before it ends.
std::optional<CsvField> read_csv_field(std::string_view line, char delimiter, char quote, char escape, int number,
                                       std::string& buffer);

}  // namespace pgmosaic::coordinator

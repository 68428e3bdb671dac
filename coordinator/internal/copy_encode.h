#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "planner/plan.h"

namespace pgmosaic::coordinator {

/// Signature, flags and length of the header's extension: what a binary COPY begins with.
inline constexpr std::string_view kBinaryHead{"PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19};

/// Writes rows as COPY … TO STDOUT does, from DataRow messages in text format (binary COPY: in binary format).
///
/// Source  PostgreSQL 15, COPY, "File Formats"; the component test compares with the server's own output
class CopyEncoder {
   public:
    CopyEncoder(const planner::Copy& copy, std::vector<std::string> columns);

    /// CopyOutResponse, and the head or header line if the format has one.
    void begin(std::string& out) const;
    /// One CopyData message of a DataRow's body. Errors: 08P01.
    void row(std::string_view body, std::string& out) const;
    /// The trailer if the format has one, and CopyDone.
    void end(std::string& out) const;

   private:
    void value(std::string_view text, std::size_t column, std::string& out) const;
    void text_value(std::string_view text, std::string& out) const;
    void csv_value(std::string_view text, bool force_quote, std::string& out) const;

    planner::Copy copy_;
    std::vector<std::string> columns_;
    std::vector<bool> force_quote_;
};

}  // namespace pgmosaic::coordinator

#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "planner/plan.h"

namespace pgmosaic::coordinator {

/// What of COPY's options decides where rows end and what a field's value is.
struct CopySplitOptions {
    planner::Copy::Format format = planner::Copy::Format::kText;
    char delimiter = '\t';
    char quote = '"';
    char escape = '"';
    std::string null_text = "\\N";
    bool header = false;
    int key_field = -1;  ///< position of the shard key in a row; -1: not looked for
};
CopySplitOptions split_options(const planner::Copy& copy);

/// One row of the client's COPY data, as it came.
struct CopyRow {
    enum class Kind : std::uint8_t {
        kHeader,  ///< the HEADER line, or the head of a binary file: every shard needs it
        kRow,
        kEnd,     ///< `\.` or the binary trailer: nothing counts behind it
    };
    enum class Key : std::uint8_t {
        kValue,
        kNull,
        kMissing,  ///< the row has too few fields, or the data ends within it: any shard will refuse it
    };
    Kind kind = Kind::kRow;
    Key key_state = Key::kMissing;
    std::string_view bytes{};  ///< with its line end
    std::string_view key{};    ///< escapes and quotes undone; binary: the value's bytes
    std::uint32_t lines = 1;   ///< lines of the file that it takes, as PostgreSQL counts them
};

/// Takes COPY data apart into rows, whatever the borders of the chunks it comes in, by the same rules as the server.
///
/// Lifetime  a row's views live until next() returns false, or is called again (key) or feed() is
/// Errors    throws PgError 22P04 for what no shard could tell any more: mixed line ends, a head that is not COPY's, data behind
///           the end; all other faults of a row are left to the shard that gets it
/// Bound     one row, at most 1 GB (54000)
/// Source    PostgreSQL 15, COPY, "File Formats", and the behaviour of its CopyReadLine
class CopySplitter {
   public:
    explicit CopySplitter(CopySplitOptions options);

    /// The next chunk; the one before must have been used up. It must stay until next() returns false.
    void feed(std::string_view chunk);
    /// No more chunks: what is left is the last row.
    void finish();
    bool next(CopyRow& row);
    std::size_t buffered_bytes() const { return pending_.size(); }

   private:
    enum class LineEnd : std::uint8_t { kUnknown, kNewline, kReturn, kBoth };
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    bool next_line(CopyRow& row);
    std::size_t find_text_end();
    std::size_t find_csv_end();
    std::size_t line_end_at(std::size_t at);
    bool escaped(std::size_t at) const;
    std::string_view without_line_end(std::string_view line) const;
    void keep_rest();
    void read_key(CopyRow& row);
    void read_text_key(std::string_view line, CopyRow& row);
    void read_csv_key(std::string_view line, CopyRow& row);

    bool next_binary(CopyRow& row);
    bool find_head_end(std::size_t& end);
    bool find_tuple_end(std::size_t& end, CopyRow& row);

    CopySplitOptions options_;
    std::array<bool, 256> csv_special_{};
    std::string pending_;    ///< the beginning of a row that goes on in the next chunk
    std::string_view data_;  ///< the chunk, or `pending_`
    std::size_t start_ = 0;  ///< of the row in `data_`
    std::size_t scan_ = 0;   ///< looked at so far
    std::string key_;        ///< the last key whose escapes had to be undone
    LineEnd line_end_ = LineEnd::kUnknown;
    bool finished_ = false;
    bool ended_ = false;
    bool head_passed_ = false;
    bool in_quote_ = false;   ///< CSV: at `scan_`
    bool after_escape_ = false;
    std::uint32_t lines_in_quotes_ = 0;
    int fields_left_ = -1;    ///< binary: of the tuple at `scan_`; -1: its count has not been read
    int fields_ = 0;
    std::size_t key_at_ = kNone;  ///< binary: offset of the key's length word from the tuple's start
};

}  // namespace pgmosaic::coordinator

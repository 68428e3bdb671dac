#include "coordinator/internal/copy_split.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"

namespace pgmosaic::coordinator {
namespace {

using Format = planner::Copy::Format;
using Kind = CopyRow::Kind;
using Key = CopyRow::Key;

struct Found {
    Kind kind;
    std::string bytes;
    std::string key;  ///< "<null>", "<missing>" or the value
    std::uint32_t lines;
    friend bool operator==(const Found&, const Found&) = default;
};

std::ostream& operator<<(std::ostream& out, const Found& found) {
    return out << static_cast<int>(found.kind) << " [" << found.bytes << "] [" << found.key << "] " << found.lines;
}

void take(CopySplitter& splitter, std::vector<Found>& rows) {
    CopyRow row;
    while (splitter.next(row)) {
        const std::string key = row.key_state == Key::kNull      ? "<null>"
                                : row.key_state == Key::kMissing ? "<missing>"
                                                                 : std::string(row.key);
        rows.push_back({row.kind, std::string(row.bytes), key, row.lines});
    }
}

std::vector<Found> split(const CopySplitOptions& options, std::string_view data, std::size_t piece) {
    CopySplitter splitter(options);
    std::vector<Found> rows;
    for (std::size_t at = 0; at < data.size(); at += piece) {
        const std::string chunk(data.substr(at, piece));  // a copy of its own: reads beyond it would be found
        splitter.feed(chunk);
        take(splitter, rows);
    }
    splitter.finish();
    take(splitter, rows);
    return rows;
}

/// The rows, which must be the same however the data is cut.
std::vector<Found> rows_of(const CopySplitOptions& options, std::string_view data) {
    const std::vector<Found> rows = split(options, data, data.size() + 1);
    for (std::size_t piece = 1; piece < 40; ++piece) EXPECT_EQ(split(options, data, piece), rows) << "pieces of " << piece;
    return rows;
}

std::vector<std::string> keys_of(const CopySplitOptions& options, std::string_view data) {
    std::vector<std::string> keys;
    for (const Found& row : rows_of(options, data)) {
        if (row.kind == Kind::kRow) keys.push_back(row.key);
    }
    return keys;
}

std::string code_of(const CopySplitOptions& options, std::string_view data) {
    try {
        split(options, data, 3);
    } catch (const PgError& error) {
        return std::string(error.error().code.view());
    }
    return "none";
}

using Keys = std::vector<std::string>;

TEST(CopySplitText, RowsKeepTheirBytes) {
    const auto rows = rows_of({.key_field = 0}, "1\ta\n22\t\\N\n\\N\tx");
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows[0], (Found{Kind::kRow, "1\ta\n", "1", 1}));
    EXPECT_EQ(rows[1], (Found{Kind::kRow, "22\t\\N\n", "22", 1}));
    EXPECT_EQ(rows[2], (Found{Kind::kRow, "\\N\tx", "<null>", 1}));
}

TEST(CopySplitText, KeyMayBeAnyField) {
    EXPECT_EQ(keys_of({.key_field = 2}, "a\tb\tc\td\na\\\tb\tb\tc\n"), (Keys{"c", "c"}));
    EXPECT_EQ(keys_of({.delimiter = '|', .key_field = 1}, "a\\|b|7\n|8|\n"), (Keys{"7", "8"}));
    EXPECT_EQ(keys_of({.key_field = 2}, "a\tb\n"), (Keys{"<missing>"}));
    EXPECT_EQ(keys_of({.key_field = 0}, "\n"), (Keys{""}));
}

TEST(CopySplitText, EscapesInKeysAreUndone) {
    EXPECT_EQ(keys_of({.key_field = 0}, "a\\tb\t1\nc\\\\d\t2\n\\x41\t3\n\\101B\t5\n\\x4\t6\n\\xg\t7\n\\q\t8\n"),
              (Keys{"a\tb", "c\\d", "A", "AB", "\4", "xg", "q"}));
    EXPECT_EQ(keys_of({.key_field = 0}, "\\\\N\t1\n"), (Keys{"\\N"}));
}

TEST(CopySplitText, BackslashBeforeLineEndKeepsTheRowTogether) {
    const auto rows = rows_of({.key_field = 1}, "a\\\nb\t7\nc\\\\\nd\t8\n");
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows[0], (Found{Kind::kRow, "a\\\nb\t7\n", "7", 1}));
    EXPECT_EQ(rows[1].bytes, "c\\\\\n");
    EXPECT_EQ(rows[2].key, "8");
}

TEST(CopySplitText, OtherLineEndsAndNulls) {
    EXPECT_EQ(keys_of({.key_field = 1}, "a\t1\r\nb\t2\r\n"), (Keys{"1", "2"}));
    EXPECT_EQ(keys_of({.key_field = 1}, "a\t1\rb\t2\r"), (Keys{"1", "2"}));
    EXPECT_EQ(keys_of({.null_text = "", .key_field = 0}, "\ta\nx\tb\n"), (Keys{"<null>", "x"}));
}

TEST(CopySplitText, MixedLineEndsAreRefused) {
    EXPECT_EQ(code_of({.key_field = 0}, "1\n2\r\n"), "22P04");
    EXPECT_EQ(code_of({.key_field = 0}, "1\r\n2\n"), "22P04");
}

TEST(CopySplitText, NothingCountsBehindTheEndMark) {
    const auto rows = rows_of({.key_field = 0}, "1\n\\.\n2\nrest");
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[1].kind, Kind::kEnd);
}

TEST(CopySplitText, HeaderIsNoRow) {
    const auto rows = rows_of({.header = true, .key_field = 0}, "id\tv\n1\ta\n");
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].kind, Kind::kHeader);
    EXPECT_EQ(rows[1].key, "1");
}

const CopySplitOptions kCsv{.format = Format::kCsv, .delimiter = ',', .null_text = "", .key_field = 1};

TEST(CopySplitCsv, QuotesHideDelimitersAndLineEnds) {
    const auto rows = rows_of(kCsv, "\"a,\nb\",7\n\"x\"\"y\",8\nz,\"9\"\n");
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows[0], (Found{Kind::kRow, "\"a,\nb\",7\n", "7", 1}));  // the line end's kind was not known yet, as in PostgreSQL
    EXPECT_EQ(rows[1].key, "8");
    EXPECT_EQ(rows[2].key, "9");
}

TEST(CopySplitCsv, LinesInQuotesAreCounted) {
    const auto rows = rows_of(kCsv, "a,1\n\"b\nc\nd\",2\n");
    EXPECT_EQ(rows.at(1).lines, 3u);
}

TEST(CopySplitCsv, QuotedNothingIsNoNull) {
    EXPECT_EQ(keys_of(kCsv, "a,\"\"\nb,\nc,x\"y\"z\nd\n"), (Keys{"", "<null>", "xyz", "<missing>"}));
}

TEST(CopySplitCsv, OwnEscapeAndQuote) {
    const CopySplitOptions options{.format = Format::kCsv, .delimiter = ';', .quote = '\'', .escape = '\\', .null_text = "nil", .key_field = 0};
    EXPECT_EQ(keys_of(options, "'it\\'s; here';1\nnil;2\n'nil';3\n'a\\\\';4\n"), (Keys{"it's; here", "<null>", "nil", "a\\"}));
}

TEST(CopySplitCsv, EndMarkStandsAlone) {
    EXPECT_EQ(keys_of({.format = Format::kCsv, .delimiter = ',', .key_field = 0}, "\\.x,1\n2,\\.\n\\.\n3,4\n"), (Keys{"\\.x", "2"}));
}

TEST(CopySplitCsv, OpenQuoteAtTheEndIsTheLastRow) {
    const auto rows = rows_of(kCsv, "a,1\n\"b,2\n");
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[1].key, "<missing>");
}

std::string binary_head() { return std::string("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\2xy", 21); }
std::string tuple(std::initializer_list<const char*> values) {
    std::string out{'\0', static_cast<char>(values.size())};
    for (const char* value : values) {
        if (value == nullptr) {
            out += "\xff\xff\xff\xff";
        } else {
            out += std::string("\0\0\0", 3) + static_cast<char>(std::string_view(value).size()) + value;
        }
    }
    return out;
}

TEST(CopySplitBinary, TuplesAndKeys) {
    const auto rows = rows_of({.format = Format::kBinary, .key_field = 1},
                              binary_head() + tuple({"a", "key"}) + tuple({nullptr, nullptr}) + tuple({"x"}) + "\xff\xff");
    ASSERT_EQ(rows.size(), 5u);
    EXPECT_EQ(rows[0], (Found{Kind::kHeader, binary_head(), "<missing>", 0}));
    EXPECT_EQ(rows[1], (Found{Kind::kRow, tuple({"a", "key"}), "key", 1}));
    EXPECT_EQ(rows[2].key, "<null>");
    EXPECT_EQ(rows[3].key, "<missing>");
    EXPECT_EQ(rows[4], (Found{Kind::kEnd, "\xff\xff", "<missing>", 0}));
}

TEST(CopySplitBinary, WhatIsNotCopyIsRefused) {
    const CopySplitOptions options{.format = Format::kBinary, .key_field = 0};
    EXPECT_EQ(code_of(options, "not binary at all"), "22P04");
    EXPECT_EQ(code_of(options, ""), "22P04");
    EXPECT_EQ(code_of(options, "PGCO"), "22P04");
    EXPECT_EQ(code_of(options, binary_head() + "\xff\xff" + "more"), "22P04");
    EXPECT_EQ(code_of(options, binary_head() + "\xff\xf0"), "22P04");
}

TEST(CopySplitBinary, CutTupleGoesToSomeShard) {
    const auto rows = rows_of({.format = Format::kBinary, .key_field = 0}, binary_head() + tuple({"a", "b"}).substr(0, 9));
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[1].key, "<missing>");
}

}  // namespace
}  // namespace pgmosaic::coordinator

#include "coordinator/internal/copy_field.h"

#include <algorithm>
#include <cstring>

namespace pgmosaic::coordinator {

namespace {

constexpr std::size_t kNone = std::string_view::npos;

/// Where the field that begins at `from` ends: at its delimiter, or at the line's end.
std::size_t text_field_end(std::string_view line, std::size_t from, char delimiter) {
    std::size_t at = line.find(delimiter, from);
    const std::size_t end = at == kNone ? line.size() : at;
    if (line.substr(from, end - from).find('\\') == kNone) return end;
    for (at = from; at < line.size(); ++at) {
        if (line[at] == '\\') ++at;
        else if (line[at] == delimiter) return at;
    }
    return line.size();
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// The character that the sequence at `at` (behind its backslash) stands for; moves `at` behind it.
char unescape_one(std::string_view field, std::size_t& at) {
    const char c = field[at++];
    if (is_octal(c)) {
        int value = c - '0';
        for (int i = 0; i < 2 && at < field.size() && is_octal(field[at]); ++i) value = (value << 3) + (field[at++] - '0');
        return static_cast<char>(value & 0377);
    }
    switch (c) {
        case 'b': return '\b';
        case 'f': return '\f';
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        case 'v': return '\v';
        case 'x': break;
        default: return c;
    }
    if (at >= field.size() || hex_digit(field[at]) < 0) return c;
    int value = hex_digit(field[at++]);
    if (at < field.size() && hex_digit(field[at]) >= 0) value = (value << 4) + hex_digit(field[at++]);
    return static_cast<char>(value);
}

/// One field of a CSV record from `at` on, which moves to its delimiter or to the end. False: a quote stays open.
bool csv_field(std::string_view line, std::size_t& at, char delimiter, char quote, char escape, std::string& value, bool& quoted) {
    value.clear();
    quoted = false;
    bool inside = false;
    for (; at < line.size(); ++at) {
        const char c = line[at];
        if (!inside) {
            if (c == delimiter) return true;
            if (c == quote) inside = quoted = true;
            else value += c;
            continue;
        }
        if (c == escape && at + 1 < line.size() && (line[at + 1] == escape || line[at + 1] == quote)) value += line[++at];
        else if (c == quote) inside = false;
        else value += c;
    }
    return !inside;
}

}  // namespace

std::optional<std::string_view> find_text_field(std::string_view line, char delimiter, int number) {
    std::size_t from = 0;
    for (int i = 0;; ++i) {
        const std::size_t end = text_field_end(line, from, delimiter);
        if (i == number) return line.substr(from, end - from);
        if (end >= line.size()) return std::nullopt;
        from = end + 1;
    }
}

void unescape_text_field(std::string_view field, std::string& value) {
    value.clear();
    for (std::size_t at = 0; at < field.size();) {
        if (field[at] != '\\') {
            value += field[at++];
        } else if (++at < field.size()) {  // a backslash at the very end stands for nothing
            value += unescape_one(field, at);
        }
    }
}

std::optional<CsvField> read_csv_field(std::string_view line, char delimiter, char quote, char escape, int number,
                                       std::string& buffer) {
    // Without a quote before the field's end, delimiters are what they look like.
    const void* first_quote = line.empty() ? nullptr : std::memchr(line.data(), quote, line.size());
    const std::size_t plain = first_quote == nullptr ? line.size() : static_cast<std::size_t>(static_cast<const char*>(first_quote) - line.data());
    std::size_t at = 0;
    for (int i = 0;; ++i) {
        const std::size_t end = std::min(line.find(delimiter, at), line.size());
        if (end > plain) break;
        if (i == number) return CsvField{.value = line.substr(at, end - at)};
        if (end == line.size()) return std::nullopt;
        at = end + 1;
    }
    at = 0;
    for (int i = 0;; ++i) {
        bool quoted = false;
        if (!csv_field(line, at, delimiter, quote, escape, buffer, quoted)) return std::nullopt;
        if (i == number) return CsvField{.value = buffer, .quoted = quoted};
        if (at >= line.size()) return std::nullopt;
        ++at;
    }
}

}  // namespace pgmosaic::coordinator

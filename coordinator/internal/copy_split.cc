#include "coordinator/internal/copy_split.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "coordinator/internal/copy_field.h"

namespace pgmosaic::coordinator {

using Format = planner::Copy::Format;

namespace {

/// PostgreSQL's bound of a string that it reads: a longer row could not be stored by any shard.
constexpr std::size_t kRowBytesMax = 0x3FFFFFFF;
constexpr std::size_t kKeepBytes = 65536;

[[noreturn]] void bad_format(std::string message, std::string hint = {}) {
    throw PgError(Error{.code = sqlstate::kBadCopyFileFormat, .message = std::move(message), .hint = std::move(hint)});
}

[[noreturn]] void literal_line_end(bool newline, bool csv) {
    const std::string name = newline ? "newline" : "carriage return";
    if (csv) bad_format("unquoted " + name + " found in data", "Use quoted CSV field to represent " + name + ".");
    bad_format("literal " + name + " found in data",
               std::string("Use \"\\") + (newline ? "n" : "r") + "\" to represent " + name + ".");
}

}  // namespace

CopySplitOptions split_options(const planner::Copy& copy) {
    return {.format = copy.format, .delimiter = copy.delimiter, .quote = copy.quote, .escape = copy.escape,
            .null_text = copy.null_text, .header = copy.header, .key_field = copy.key_field};
}

CopySplitter::CopySplitter(CopySplitOptions options) : options_(std::move(options)) {
    for (const char c : {options_.quote, options_.escape, '\n', '\r'}) csv_special_[static_cast<unsigned char>(c)] = true;
}

void CopySplitter::feed(std::string_view chunk) {
    if (pending_.empty()) {
        data_ = chunk;
    } else {
        if (pending_.size() + chunk.size() > kRowBytesMax) {
            throw PgError(Error{.code = sqlstate::kProgramLimitExceeded, .message = "a row of COPY data is longer than 1 GB"});
        }
        pending_ += chunk;
        data_ = pending_;
    }
}

void CopySplitter::finish() {
    finished_ = true;
    data_ = pending_;
}

bool CopySplitter::next(CopyRow& row) {
    if (ended_) {
        const bool more = start_ < data_.size();
        start_ = scan_ = 0;
        data_ = {};
        pending_.clear();
        // The text format passes over what follows its end mark, the binary one does not.
        if (more && options_.format == Format::kBinary) bad_format("received copy data after EOF marker");
        return false;
    }
    if (data_.empty() && !finished_) return false;
    row = CopyRow{};
    const bool found = options_.format == Format::kBinary ? next_binary(row) : next_line(row);
    if (!found) keep_rest();
    return found;
}

/// What is left of the chunk waits for the next one.
void CopySplitter::keep_rest() {
    if (data_.data() == pending_.data()) {
        pending_.erase(0, start_);
        if (pending_.empty() && pending_.capacity() > kKeepBytes) pending_.shrink_to_fit();
    } else {
        pending_.assign(data_.substr(start_));
    }
    scan_ -= start_;
    start_ = 0;
    data_ = {};
}

// ---------------------------------------------------------------- lines

bool CopySplitter::next_line(CopyRow& row) {
    const bool csv = options_.format == Format::kCsv;
    std::size_t end = csv ? find_csv_end() : find_text_end();
    const bool whole = end != kNone;
    if (!whole) {
        if (!finished_ || start_ >= data_.size()) return false;
        end = data_.size();
    }
    row.bytes = data_.substr(start_, end - start_);
    row.lines = 1 + lines_in_quotes_;
    start_ = scan_ = end;
    in_quote_ = after_escape_ = false;
    lines_in_quotes_ = 0;
    const std::string_view line = whole ? without_line_end(row.bytes) : row.bytes;
    if (whole && line == "\\.") {
        row.kind = CopyRow::Kind::kEnd;
        ended_ = true;
        return true;
    }
    if (options_.header && !head_passed_) {
        head_passed_ = true;
        row.kind = CopyRow::Kind::kHeader;
        return true;
    }
    if (csv) read_csv_key(line, row);
    else read_text_key(line, row);
    return true;
}

bool CopySplitter::escaped(std::size_t at) const {
    std::size_t first = at;
    while (first > start_ && data_[first - 1] == '\\') --first;
    return ((at - first) & 1) != 0;
}

/// The end of the line whose line end is at `at`; kNone if more must be seen to tell. The first line decides which line end
/// the file has; the shards see only some of the lines, so that files which mix them must be refused here.
std::size_t CopySplitter::line_end_at(std::size_t at) {
    const bool csv = options_.format == Format::kCsv;
    if (line_end_ == LineEnd::kUnknown) {
        if (data_[at] == '\n') {
            line_end_ = LineEnd::kNewline;
        } else {
            if (at + 1 >= data_.size() && !finished_) return kNone;
            line_end_ = at + 1 < data_.size() && data_[at + 1] == '\n' ? LineEnd::kBoth : LineEnd::kReturn;
        }
    }
    switch (line_end_) {
        case LineEnd::kUnknown:
        case LineEnd::kNewline:
            if (data_[at] != '\n' || (at > start_ && data_[at - 1] == '\r' && !escaped(at - 1) && !csv)) literal_line_end(false, csv);
            return at + 1;
        case LineEnd::kReturn:
            if (data_[at] != '\r') literal_line_end(true, csv);
            return at + 1;
        case LineEnd::kBoth:
            if (data_[at] == '\n') {
                if (at == start_ || data_[at - 1] != '\r') literal_line_end(true, csv);
                return at + 1;
            }
            if (at + 1 >= data_.size() && !finished_) return kNone;
            if (at + 1 >= data_.size() || data_[at + 1] != '\n') literal_line_end(false, csv);
            return at + 2;
    }
    return kNone;
}

std::size_t CopySplitter::find_text_end() {
    // The first line tells which line end the file has.
    while (line_end_ == LineEnd::kUnknown && scan_ < data_.size()) {
        const char c = data_[scan_];
        if (c == '\\') {
            if (scan_ + 1 >= data_.size()) return kNone;
            scan_ += 2;
        } else if (c == '\n' || c == '\r') {
            return line_end_at(scan_);
        } else {
            ++scan_;
        }
    }
    const char wanted = line_end_ == LineEnd::kReturn ? '\r' : '\n';
    while (scan_ < data_.size()) {
        const void* found = std::memchr(data_.data() + scan_, wanted, data_.size() - scan_);
        if (found == nullptr) break;
        const std::size_t at = static_cast<std::size_t>(static_cast<const char*>(found) - data_.data());
        // A backslash before it makes the line end part of the value.
        if (at == start_ || data_[at - 1] != '\\' || !escaped(at)) return line_end_at(at);
        scan_ = at + 1;
    }
    scan_ = std::max(scan_, data_.size());
    return kNone;
}

std::size_t CopySplitter::find_csv_end() {
    const bool own_escape = options_.escape != options_.quote;
    const char line_break = line_end_ == LineEnd::kNewline ? '\n' : '\r';
    for (; scan_ < data_.size(); ++scan_) {
        const char c = data_[scan_];
        if (!csv_special_[static_cast<unsigned char>(c)]) {
            after_escape_ = false;
            continue;
        }
        if (!in_quote_ && (c == '\n' || c == '\r')) return line_end_at(scan_);
        if (in_quote_ && c == line_break) ++lines_in_quotes_;
        // The escape keeps a quote from ending the value; an escape that is the quote itself ends and begins it again.
        if (own_escape && in_quote_ && c == options_.escape) after_escape_ = !after_escape_;
        if (c == options_.quote && !after_escape_) in_quote_ = !in_quote_;
        if (!own_escape || c != options_.escape) after_escape_ = false;
    }
    return kNone;
}

std::string_view CopySplitter::without_line_end(std::string_view line) const {
    line.remove_suffix(line_end_ == LineEnd::kBoth ? 2 : 1);
    return line;
}

void CopySplitter::read_text_key(std::string_view line, CopyRow& row) {
    if (options_.key_field < 0) return;
    const auto field = find_text_field(line, options_.delimiter, options_.key_field);
    if (!field) return;
    if (*field == options_.null_text) {
        row.key_state = CopyRow::Key::kNull;
        return;
    }
    row.key_state = CopyRow::Key::kValue;
    row.key = *field;
    if (field->find('\\') == std::string_view::npos) return;
    unescape_text_field(*field, key_);
    row.key = key_;
}

void CopySplitter::read_csv_key(std::string_view line, CopyRow& row) {
    if (options_.key_field < 0) return;
    const auto field = read_csv_field(line, options_.delimiter, options_.quote, options_.escape, options_.key_field, key_);
    if (!field) return;
    row.key = field->value;
    row.key_state = !field->quoted && field->value == options_.null_text ? CopyRow::Key::kNull : CopyRow::Key::kValue;
}

}  // namespace pgmosaic::coordinator

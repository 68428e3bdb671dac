#include "coordinator/internal/copy_encode.h"

#include <algorithm>

#include "wire/frame.h"
#include "wire/messages.h"
#include "wire/reader.h"

namespace pgmosaic::coordinator {

using Format = planner::Copy::Format;

namespace {


/// The letter of a control character that has one.
char control_letter(char c) {
    switch (c) {
        case '\b': return 'b';
        case '\f': return 'f';
        case '\n': return 'n';
        case '\r': return 'r';
        case '\t': return 't';
        case '\v': return 'v';
        default: return 0;
    }
}

}  // namespace

CopyEncoder::CopyEncoder(const planner::Copy& copy, std::vector<std::string> columns)
    : copy_(copy), columns_(std::move(columns)), force_quote_(columns_.size(), copy.force_quote_all) {
    for (const std::string& name : copy_.force_quote) {
        const auto found = std::find(columns_.begin(), columns_.end(), name);
        if (found == columns_.end()) {
            throw PgError(Error{.code = sqlstate::kUndefinedColumn, .message = "column \"" + name + "\" does not exist"});
        }
        force_quote_[static_cast<std::size_t>(found - columns_.begin())] = true;
    }
}

void CopyEncoder::begin(std::string& out) const {
    const int format = copy_.format == Format::kBinary ? 1 : 0;
    {
        wire::FrameWriter frame(out, 'H');
        frame.int8(static_cast<std::uint8_t>(format)).int16(static_cast<std::int32_t>(columns_.size()));
        for (std::size_t i = 0; i < columns_.size(); ++i) frame.int16(format);
    }
    if (copy_.format == Format::kBinary) wire::FrameWriter(out, 'd').bytes(kBinaryHead);
    if (!copy_.header || copy_.format == Format::kBinary) return;
    wire::FrameWriter frame(out, 'd');
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (i > 0) out += copy_.delimiter;
        if (copy_.format == Format::kCsv) csv_value(columns_[i], false, out);
        else text_value(columns_[i], out);
    }
    out += '\n';
}

void CopyEncoder::row(std::string_view body, std::string& out) const {
    wire::FrameWriter frame(out, 'd');
    if (copy_.format == Format::kBinary) {
        frame.bytes(body);  // a binary DataRow is a binary COPY tuple
        return;
    }
    wire::Reader reader(body);
    const auto count = static_cast<std::uint16_t>(reader.int16());
    for (std::size_t i = 0; i < count; ++i) {
        if (i > 0) out += copy_.delimiter;
        const std::int32_t length = reader.int32();
        if (length < 0) out += copy_.null_text;
        else value(reader.bytes(static_cast<std::size_t>(length)), i, out);
    }
    out += '\n';
}

void CopyEncoder::value(std::string_view text, std::size_t column, std::string& out) const {
    if (copy_.format == Format::kCsv) csv_value(text, column < force_quote_.size() && force_quote_[column], out);
    else text_value(text, out);
}

void CopyEncoder::text_value(std::string_view text, std::string& out) const {
    for (const char c : text) {
        if (const char letter = control_letter(c)) {
            out += '\\';
            out += letter;
            continue;
        }
        if (c == '\\' || c == copy_.delimiter) out += '\\';
        out += c;
    }
}

void CopyEncoder::csv_value(std::string_view text, bool force_quote, std::string& out) const {
    const char special[] = {copy_.delimiter, copy_.quote, '\n', '\r'};
    const bool quote = force_quote || text == copy_.null_text || (columns_.size() == 1 && text == "\\.") ||
                       text.find_first_of(std::string_view(special, sizeof special)) != std::string_view::npos;
    if (!quote) {
        out += text;
        return;
    }
    out += copy_.quote;
    for (const char c : text) {
        if (c == copy_.quote || c == copy_.escape) out += copy_.escape;
        out += c;
    }
    out += copy_.quote;
}

void CopyEncoder::end(std::string& out) const {
    if (copy_.format == Format::kBinary) wire::FrameWriter(out, 'd').bytes("\xff\xff");
    wire::write_empty(out, 'c');
}

}  // namespace pgmosaic::coordinator

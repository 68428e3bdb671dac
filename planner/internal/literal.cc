#include <charconv>

#include "planner/internal/lexer.h"

namespace pgmosaic::planner {

namespace {

void append_utf8(std::string& out, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
    if (code < 0x80) return put(code);
    if (code < 0x800) return put(0xC0 | (code >> 6)), put(0x80 | (code & 63));
    if (code < 0x10000) return put(0xE0 | (code >> 12)), put(0x80 | ((code >> 6) & 63)), put(0x80 | (code & 63));
    put(0xF0 | (code >> 18)), put(0x80 | ((code >> 12) & 63)), put(0x80 | ((code >> 6) & 63)), put(0x80 | (code & 63));
}

// Reads up to `digits_max` digits of `base` at `i`; false if there is none.
bool read_code(std::string_view text, std::size_t& i, int base, std::size_t digits_max, std::uint32_t& code) {
    const char* begin = text.data() + i;
    const char* limit = text.data() + std::min(text.size(), i + digits_max);
    const auto [end, failure] = std::from_chars(begin, limit, code, base);
    i += static_cast<std::size_t>(end - begin);
    return failure == std::errc{};
}

// One escape of E'…', `i` behind the backslash. False for what has rules of its own (surrogate pairs).
bool unescape(std::string_view body, std::size_t& i, std::string& out) {
    std::uint32_t code = 0;
    const char c = body[i];
    if (c >= '0' && c <= '7') {
        read_code(body, i, 8, 3, code);
        out.push_back(static_cast<char>(code & 255));
        return code != 0;
    }
    ++i;
    switch (c) {
        case 'b': out.push_back('\b'); return true;
        case 'f': out.push_back('\f'); return true;
        case 'n': out.push_back('\n'); return true;
        case 'r': out.push_back('\r'); return true;
        case 't': out.push_back('\t'); return true;
        case 'x':
            if (!read_code(body, i, 16, 2, code)) out.push_back('x');
            else out.push_back(static_cast<char>(code));
            return code != 0;
        case 'u':
        case 'U':
            if (!read_code(body, i, 16, c == 'u' ? 4 : 8, code) || code == 0 || (code >= 0xD800 && code < 0xE000)) return false;
            append_utf8(out, code);
            return true;
        default: out.push_back(c); return true;
    }
}

bool read_quoted(std::string_view body, bool escapes, std::string& out) {
    out.clear();
    for (std::size_t i = 0; i < body.size();) {
        if (body[i] == '\\' && escapes) {
            if (++i >= body.size() || !unescape(body, i, out)) return false;
            continue;
        }
        if (body[i] == '\'') ++i;  // doubled
        out.push_back(body[i++]);
    }
    return true;
}

}  // namespace

void read_literal(std::string_view sql, const Token& token, Literal& out) {
    const std::string_view text = token.text(sql);
    out.negative = token.negative;
    if (token.kind != Token::Kind::kString) {
        out.kind = token.kind == Token::Kind::kInteger ? Literal::Kind::kInteger : Literal::Kind::kDecimal;
        out.value.assign(text);
        return;
    }
    out.kind = Literal::Kind::kString;
    if (text[0] == '$') {
        const std::size_t tag = text.find('$', 1) + 1;
        out.value.assign(text.substr(tag, text.size() - 2 * tag));
        return;
    }
    const bool escapes = text[0] != '\'';
    const std::size_t prefix = escapes ? 2 : 1;
    if (!read_quoted(text.substr(prefix, text.size() - prefix - 1), escapes, out.value)) out.kind = Literal::Kind::kOther;
}

}  // namespace pgmosaic::planner

#include "planner/internal/lexer.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace pgmosaic::planner {

namespace {

enum Class : unsigned char { kBlank = 1, kDigit = 2, kIdentifierStart = 4, kOperatorChar = 8, kSelf = 16 };

constexpr std::array<unsigned char, 256> make_classes() {
    std::array<unsigned char, 256> table{};
    for (char c : std::string_view(" \t\n\r\f")) table[static_cast<unsigned char>(c)] |= kBlank;
    for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] |= kDigit;
    for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] |= kIdentifierStart;
    for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] |= kIdentifierStart;
    for (std::size_t c = 128; c < 256; ++c) table[c] |= kIdentifierStart;
    table['_'] |= kIdentifierStart;
    for (char c : std::string_view("~!@#^&|`?+-*/%<>=")) table[static_cast<unsigned char>(c)] |= kOperatorChar;
    for (char c : std::string_view(",()[].;:")) table[static_cast<unsigned char>(c)] |= kSelf;
    return table;
}

constexpr std::array<unsigned char, 256> kClasses = make_classes();

bool is(unsigned char c, unsigned classes) { return (kClasses[c] & classes) != 0; }

// Keywords behind which a minus is a sign. A word that is not here may be a column: `a -5` subtracts.
constexpr std::string_view kBeforeSign[] = {"and",  "between", "by",    "case",   "default", "else",  "having", "in", "limit",
                                            "not",  "offset",  "on",    "or",     "return",  "returning", "select",
                                            "then", "values",  "when",  "where"};

bool sign_may_follow(std::string_view word) {
    if (word.size() > 9) return false;
    char lower[9];
    for (std::size_t i = 0; i < word.size(); ++i) lower[i] = static_cast<char>(word[i] | 0x20);
    return std::binary_search(std::begin(kBeforeSign), std::end(kBeforeSign), std::string_view(lower, word.size()));
}

// bigint holds 18 digits whatever they are; longer ones may be numeric.
constexpr std::size_t kIntegerDigitsMax = 18;

}  // namespace

bool Lexer::fail() {
    odd_ = true;
    return false;
}

bool Lexer::finish(Token& token, Token::Kind kind, std::size_t end) {
    token.kind = kind;
    token.end = static_cast<std::uint32_t>(end);
    position_ = end;
    return true;
}

bool Lexer::skip_comment() {
    if (at(position_) == '-' && at(position_ + 1) == '-') {
        position_ = std::min(sql_.find_first_of("\n\r", position_), sql_.size());
        return true;
    }
    if (at(position_) != '/' || at(position_ + 1) != '*') return false;
    std::size_t depth = 1;
    for (position_ += 2; depth > 0; ++position_) {
        if (position_ + 1 >= sql_.size()) {
            position_ = sql_.size();
            return fail();
        }
        if (sql_[position_] == '/' && sql_[position_ + 1] == '*') ++depth, ++position_;
        else if (sql_[position_] == '*' && sql_[position_ + 1] == '/') --depth, ++position_;
    }
    return true;
}

void Lexer::skip_blanks() {
    do {
        while (is(at(position_), kBlank)) ++position_;
    } while (skip_comment());
}

bool Lexer::string(Token& token, std::size_t quote, bool escapes, Token::Kind kind) {
    std::size_t i = quote + 1;
    for (;; ++i) {
        if (i >= sql_.size()) return fail();
        if (sql_[i] == '\\' && escapes) ++i;
        else if (sql_[i] == '\'' && at(i + 1) == '\'') ++i;
        else if (sql_[i] == '\'') break;
    }
    // 'a' <newline> 'b' is one constant: left to the parser.
    std::size_t after = i + 1;
    bool newline = false;
    for (; is(at(after), kBlank); ++after) newline |= sql_[after] == '\n' || sql_[after] == '\r';
    if (newline && (at(after) == '\'' || (at(after) == '-' && at(after + 1) == '-'))) return fail();
    sign_ = Sign::kMayNotFollow;
    return finish(token, kind, i + 1);
}

bool Lexer::quoted_identifier(Token& token, std::size_t quote) {
    std::size_t i = quote + 1;
    for (;; ++i) {
        if (i >= sql_.size()) return fail();
        if (sql_[i] == '"' && at(i + 1) == '"') ++i;
        else if (sql_[i] == '"') break;
    }
    sign_ = Sign::kMayNotFollow;
    return finish(token, Token::Kind::kQuoted, i + 1);
}

bool Lexer::word(Token& token) {
    const unsigned char first = at(position_) | 0x20, second = at(position_ + 1);
    if (second == '\'' && first == 'e') return string(token, position_ + 1, true, Token::Kind::kString);
    if (second == '\'' && (first == 'b' || first == 'x' || first == 'n')) {
        return string(token, position_ + 1, false, Token::Kind::kOtherString);
    }
    if (first == 'u' && second == '&' && at(position_ + 2) == '\'') {
        return string(token, position_ + 2, false, Token::Kind::kOtherString);
    }
    if (first == 'u' && second == '&' && at(position_ + 2) == '"') return quoted_identifier(token, position_ + 2);
    std::size_t i = position_ + 1;
    while (is(at(i), kIdentifierStart | kDigit) || at(i) == '$') ++i;
    sign_ = Sign::kAskWord;
    word_ = position_;
    word_end_ = i;
    return finish(token, Token::Kind::kWord, i);
}

bool Lexer::number(Token& token) {
    std::size_t i = position_;
    while (is(at(i), kDigit)) ++i;
    Token::Kind kind = i - position_ <= kIntegerDigitsMax ? Token::Kind::kInteger : Token::Kind::kDecimal;
    if (at(i) == '.' && at(i + 1) != '.') {
        kind = Token::Kind::kDecimal;
        for (++i; is(at(i), kDigit);) ++i;
    }
    if ((at(i) | 0x20) == 'e') {
        std::size_t exponent = i + 1;
        if (at(exponent) == '+' || at(exponent) == '-') ++exponent;
        if (!is(at(exponent), kDigit)) return fail();
        while (is(at(exponent), kDigit)) ++exponent;
        kind = Token::Kind::kDecimal;
        i = exponent;
    }
    if (is(at(i), kIdentifierStart)) return fail();
    token.negative = sign_ == Sign::kSeen;
    sign_ = Sign::kMayNotFollow;
    return finish(token, kind, i);
}

bool Lexer::dollar(Token& token) {
    std::size_t i = position_ + 1;
    sign_ = Sign::kMayNotFollow;
    if (is(at(i), kDigit)) {
        while (is(at(i), kDigit)) ++i;
        return is(at(i), kIdentifierStart) ? fail() : finish(token, Token::Kind::kParameter, i);
    }
    if (is(at(i), kIdentifierStart)) {
        while (is(at(i), kIdentifierStart | kDigit)) ++i;
    }
    if (at(i) != '$') return fail();
    const std::string_view tag = sql_.substr(position_, i + 1 - position_);
    const std::size_t end = sql_.find(tag, i + 1);
    return end == std::string_view::npos ? fail() : finish(token, Token::Kind::kString, end + tag.size());
}

bool Lexer::operator_or_punctuation(Token& token) {
    const unsigned char first = at(position_);
    if (is(first, kSelf)) {
        std::size_t length = 1;
        if (first == ':' && (at(position_ + 1) == ':' || at(position_ + 1) == '=')) length = 2;
        if (first == '.' && at(position_ + 1) == '.') length = 2;
        sign_ = first == '(' || first == ',' || first == '[' || first == ';' ? Sign::kMayFollow : Sign::kMayNotFollow;
        return finish(token, Token::Kind::kPunctuation, position_ + length);
    }
    std::size_t end = position_;
    while (is(at(end), kOperatorChar)) {
        if (end > position_ && ((sql_[end] == '-' && at(end + 1) == '-') || (sql_[end] == '/' && at(end + 1) == '*'))) break;
        ++end;
    }
    // SQL's own rule: an operator ends in + or - only if it has one of these, so that `a=-1` works.
    if (sql_.substr(position_, end - position_).find_first_of("~!@#^&|`?%") == std::string_view::npos) {
        while (end - position_ > 1 && (sql_[end - 1] == '+' || sql_[end - 1] == '-')) --end;
    }
    const bool minus = end - position_ == 1 && first == '-';
    if (minus) {
        const bool sign = sign_ == Sign::kMayFollow ||
                          (sign_ == Sign::kAskWord && sign_may_follow(sql_.substr(word_, word_end_ - word_)));
        sign_ = sign ? Sign::kSeen : Sign::kMayNotFollow;
    } else {
        sign_ = Sign::kMayFollow;
    }
    return finish(token, Token::Kind::kOperator, end);
}

bool Lexer::next(Token& token) {
    skip_blanks();
    if (odd_ || position_ >= sql_.size()) return false;
    token.begin = static_cast<std::uint32_t>(position_);
    token.negative = false;
    const unsigned char c = at(position_);
    if (is(c, kIdentifierStart)) return word(token);
    if (is(c, kDigit) || (c == '.' && is(at(position_ + 1), kDigit))) return number(token);
    if (c == '\'') return string(token, position_, backslash_ == Backslash::kEscape, Token::Kind::kString);
    if (c == '"') return quoted_identifier(token, position_);
    if (c == '$') return dollar(token);
    if (is(c, kOperatorChar | kSelf)) return operator_or_punctuation(token);
    return fail();
}

bool tokenize(std::string_view sql, std::vector<Token>& tokens) {
    tokens.clear();
    Lexer lexer(sql);
    for (Token token; lexer.next(token);) tokens.push_back(token);
    return !lexer.odd();
}

bool cut_literals(std::string_view sql, std::string& key, std::vector<Token>& literals) {
    literals.clear();
    Lexer lexer(sql);
    std::size_t copied = 0;
    for (Token token; lexer.next(token);) {
        if (!token.literal()) continue;
        key.append(sql.data() + copied, token.begin - copied);
        // A control character cannot stand outside of strings, quoted names and comments: the key is unambiguous.
        key.push_back(static_cast<char>(token.kind == Token::Kind::kInteger ? 1 : token.kind == Token::Kind::kDecimal ? 2 : 3));
        copied = token.end;
        literals.push_back(token);
    }
    key.append(sql.data() + copied, sql.size() - copied);
    return !lexer.odd();
}

std::size_t nesting_bound(std::string_view sql) {
    std::vector<std::size_t> open{0};
    std::size_t depth = 0, deepest = 0;
    const auto reset = [&] {
        depth -= open.back();
        open.back() = 0;
    };
    Lexer lexer(sql);
    for (Token token; lexer.next(token);) {
        const std::string_view text = token.text(sql);
        if (text == "," || text == ";") {
            reset();
            continue;
        }
        if (text == "(" || text == "[") open.push_back(0);
        if ((text == ")" || text == "]") && open.size() > 1) {
            reset();
            open.pop_back();
        }
        const bool flat = token.kind == Token::Kind::kWord &&
                          ((text.size() == 3 && (text[0] | 0x20) == 'a' && (text[1] | 0x20) == 'n' && (text[2] | 0x20) == 'd') ||
                           (text.size() == 2 && (text[0] | 0x20) == 'o' && (text[1] | 0x20) == 'r'));
        if (flat) reset();
        ++open.back();
        deepest = std::max(deepest, ++depth);
    }
    // What the lexer cannot cut, it cannot measure.
    return lexer.odd() ? std::max(deepest, std::min<std::size_t>(sql.size(), 2000)) : deepest;
}

std::string with_escape_strings(std::string_view sql, std::vector<std::size_t>& inserted) {
    std::string converted;
    std::size_t copied = 0;
    Lexer lexer(sql, Lexer::Backslash::kEscape);
    for (Token token; lexer.next(token);) {
        const std::string_view text = token.text(sql);
        if (token.kind != Token::Kind::kString || text[0] != '\'' || text.find('\\') == std::string_view::npos) continue;
        converted.append(sql.substr(copied, token.begin - copied)).append(" E");
        copied = token.begin;
        inserted.push_back(token.begin);
    }
    return converted.append(sql.substr(copied));
}

}  // namespace pgmosaic::planner

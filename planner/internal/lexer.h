#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "planner/plan.h"

namespace pgmosaic::planner {

/// A token of SQL as PostgreSQL's scanner would cut it.
struct Token {
    enum class Kind : std::uint8_t {
        kWord,         ///< keyword or unquoted identifier
        kQuoted,       ///< "identifier", U&"…"
        kInteger,      ///< up to 18 digits
        kDecimal,      ///< with a point or an exponent, or too many digits for bigint
        kString,       ///< '…', E'…', $tag$…$tag$
        kOtherString,  ///< B'…', X'…', U&'…', N'…': never key values
        kParameter,    ///< $n
        kOperator,     ///< one operator, of one or more characters
        kPunctuation,  ///< ( ) [ ] , ; . : and :: := ..
    };
    Kind kind = Kind::kWord;
    bool negative = false;  ///< a number right behind a minus that can only be a sign
    std::uint32_t begin = 0;
    std::uint32_t end = 0;

    bool literal() const { return kind == Kind::kInteger || kind == Kind::kDecimal || kind == Kind::kString; }
    std::string_view text(std::string_view sql) const { return sql.substr(begin, end - begin); }
};

/// Cuts a text token by token, comments and blanks skipped. '…' is read as with standard_conforming_strings = on; with it off,
/// the same holds for every text without backslashes in such strings (see has_plain_backslash).
class Lexer {
   public:
    /// What a backslash within '…' is: standard_conforming_strings = on, or off.
    enum class Backslash : std::uint8_t { kCharacter, kEscape };
    explicit Lexer(std::string_view sql, Backslash backslash = Backslash::kCharacter) : sql_(sql), backslash_(backslash) {}
    /// False at the end, and at what only the parser can judge: then odd() is true.
    bool next(Token& token);
    /// An unterminated string, junk behind a number, a string constant continued on the next line, a control character.
    bool odd() const { return odd_; }

   private:
    /// Whether a minus that comes next is a sign. Behind a word it depends on the word, which is looked up only then.
    enum class Sign : std::uint8_t { kMayFollow, kMayNotFollow, kAskWord, kSeen };

    void skip_blanks();
    bool skip_comment();
    bool string(Token& token, std::size_t quote, bool escapes, Token::Kind kind);
    bool quoted_identifier(Token& token, std::size_t quote);
    bool word(Token& token);
    bool number(Token& token);
    bool dollar(Token& token);
    bool operator_or_punctuation(Token& token);
    bool finish(Token& token, Token::Kind kind, std::size_t end);
    bool fail();
    unsigned char at(std::size_t i) const { return i < sql_.size() ? static_cast<unsigned char>(sql_[i]) : 0; }

    std::string_view sql_;
    Backslash backslash_;
    std::size_t position_ = 0;
    std::size_t word_ = 0;  ///< where the last word began, and behind it
    std::size_t word_end_ = 0;
    Sign sign_ = Sign::kMayFollow;
    bool odd_ = false;
};

/// All tokens; false if the text is odd.
bool tokenize(std::string_view sql, std::vector<Token>& tokens);

/// The plan cache's key: the text with every literal replaced by one byte for its kind is appended to `key`, `literals` gets
/// the literals. Allocates nothing once the buffers have grown. False if the text is odd.
bool cut_literals(std::string_view sql, std::string& key, std::vector<Token>& literals);

/// Undoes quotes and escapes; numbers: the digits, the sign is `negative`. Kind::kOther for what cannot be read here.
void read_literal(std::string_view sql, const Token& token, Literal& out);

/// An upper bound of how deep the parser's tree can get: what grows it between commas, ANDs and ORs of one pair of brackets.
std::size_t nesting_bound(std::string_view sql);

/// A text written for standard_conforming_strings = off as the parser reads it: each '…' that holds a backslash is an E'…'. `inserted`
/// gets the places in `sql` where the two characters ` E` were put in. What cannot be cut stays as it is.
std::string with_escape_strings(std::string_view sql, std::vector<std::size_t>& inserted);

}  // namespace pgmosaic::planner

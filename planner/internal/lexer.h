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
        kWord,       ///< keyword or unquoted identifier
        kQuoted,     ///< "identifier", U&"…"
        kInteger,    ///< digits
        kDecimal,    ///< with a point or an exponent, or too many digits for bigint
        kString,     ///< '…', E'…', $tag$…$tag$
        kOther,      ///< B'…', X'…', U&'…', N'…': literals that are never key values
        kParameter,  ///< $n
        kOperator,   ///< one operator, of one or more characters
        kPunctuation ///< ( ) [ ] , ; . : and ::, :=, ..
    };
    Kind kind = Kind::kWord;
    bool negative = false;  ///< a literal right behind a minus that can only be a sign
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    bool literal() const { return kind >= Kind::kInteger && kind <= Kind::kOther; }
    std::string_view text(std::string_view sql) const { return sql.substr(begin, end - begin); }
};

/// True if the text could be cut; false where only the parser can tell (an unterminated string, junk behind a number,
/// string constants continued on the next line).
bool tokenize(std::string_view sql, bool standard_strings, std::vector<Token>& tokens);

/// The plan cache's key: `key` gets the text with every literal replaced by one byte for its kind, `literals` the literals.
/// Allocates nothing once the buffers have grown. False as above.
bool cut_literals(std::string_view sql, bool standard_strings, std::string& key, std::vector<Token>& literals);

/// Undoes quotes and escapes. Integers and decimals: the digits; the sign is `negative`.
void read_literal(std::string_view sql, const Token& token, Literal& out);

/// An upper bound of how deep the parser's tree can get: what grows it between commas, ANDs and ORs of one pair of brackets.
std::size_t nesting_bound(std::string_view sql);

}  // namespace pgmosaic::planner

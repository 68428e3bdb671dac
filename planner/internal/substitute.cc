#include <algorithm>
#include <charconv>

#include "planner/internal/lexer.h"
#include "planner/planner.h"

namespace pgmosaic::planner {

std::string substitute_parameters(std::string_view sql, std::span<const std::string> arguments,
                                  std::span<const std::string> type_names) {
    std::string result;
    std::size_t copied = 0, highest = type_names.size();
    Lexer lexer(sql);
    for (Token token; lexer.next(token);) {
        if (token.kind != Token::Kind::kParameter) continue;
        std::size_t number = 0;
        std::from_chars(sql.data() + token.begin + 1, sql.data() + token.end, number);
        highest = std::max(highest, number);
        if (number == 0 || number > arguments.size()) continue;
        result.append(sql.substr(copied, token.begin - copied));
        result += "(" + arguments[number - 1] + ")";
        if (number <= type_names.size()) result += "::" + type_names[number - 1];
        copied = token.end;
    }
    if (lexer.odd()) {
        throw PgError(refusal("cannot run this prepared statement", "Its parameters could not be told apart.",
                              "Use the extended query protocol."));
    }
    if (highest != arguments.size()) {
        throw PgError(Error{.code = sqlstate::kSyntaxError,
                            .message = "wrong number of parameters for prepared statement",
                            .detail = "Expected " + std::to_string(highest) + " parameters but got " + std::to_string(arguments.size()) + "."});
    }
    result.append(sql.substr(copied));
    return result;
}

}  // namespace pgmosaic::planner

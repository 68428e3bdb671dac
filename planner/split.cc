#include "planner/split.h"

#include "planner/internal/lexer.h"

namespace pgmosaic::planner {

std::vector<std::string_view> split_statements(std::string_view sql) {
    std::vector<std::string_view> statements;
    Lexer lexer(sql);
    Token token;
    std::size_t depth = 0, begin = 0, end = 0;
    while (lexer.next(token)) {
        const std::string_view text = token.text(sql);
        if (text == "(") ++depth;
        if (text == ")" && depth > 0) --depth;
        if (text == ";" && depth == 0) {
            if (end > begin) statements.push_back(sql.substr(begin, end - begin));
            begin = end = token.end;
            continue;
        }
        if (end == begin) begin = token.begin;
        end = token.end;
    }
    if (lexer.odd()) end = sql.find_last_not_of(" \t\r\n") + 1;
    if (end > begin) statements.push_back(sql.substr(begin, end - begin));
    return statements;
}

}  // namespace pgmosaic::planner

#include "planner/internal/insert_text.h"

#include <algorithm>

#include "planner/internal/lexer.h"
#include "planner/planner.h"

namespace pgmosaic::planner {

namespace {

bool is_word(const Token& token, std::string_view text, std::string_view word) {
    const std::string_view read = token.text(text);
    return token.kind == Token::Kind::kWord && read.size() == word.size() &&
           std::equal(read.begin(), read.end(), word.begin(), [](char a, char b) { return (a | 0x20) == b; });
}

class Cutter {
   public:
    explicit Cutter(std::string_view text) : text_(text) {}

    std::optional<InsertText> cut() {
        if (!tokenize(text_, tokens_)) return std::nullopt;
        while (!tokens_.empty() && token(tokens_.size() - 1) == ";") tokens_.pop_back();
        const std::size_t into = find("into", 0);
        const std::size_t values = find("values", into + 1);
        if (into >= tokens_.size() || values >= tokens_.size()) return std::nullopt;
        cut_head(into, values);
        std::size_t next = values + 1;
        while (next < tokens_.size() && token(next) == "(") {
            if (!cut_row(next)) return std::nullopt;
            if (next >= tokens_.size() || token(next) != ",") break;
            ++next;
        }
        if (made_.rows.empty()) return std::nullopt;
        if (next < tokens_.size()) made_.tail = std::string(text_.substr(tokens_[next].begin, tokens_.back().end - tokens_[next].begin));
        return std::move(made_);
    }

   private:
    std::string_view token(std::size_t i) const { return tokens_[i].text(text_); }

    std::size_t find(std::string_view word, std::size_t from) const {
        std::size_t depth = 0;
        for (std::size_t i = from; i < tokens_.size(); ++i) {
            if (token(i) == "(") ++depth;
            if (token(i) == ")" && depth > 0) --depth;
            if (depth == 0 && is_word(tokens_[i], text_, word)) return i;
        }
        return tokens_.size();
    }

    void cut_head(std::size_t into, std::size_t values) {
        std::size_t end = values;
        if (values >= 3 && is_word(tokens_[values - 1], text_, "value") && is_word(tokens_[values - 3], text_, "overriding")) {
            made_.overriding = is_word(tokens_[values - 2], text_, "system") ? "OVERRIDING SYSTEM VALUE" : "OVERRIDING USER VALUE";
            end = values - 3;
        }
        for (std::size_t i = into; i < end; ++i) {
            if (token(i) == "(") end = i;
        }
        made_.head = std::string(text_.substr(tokens_[0].begin, tokens_[end - 1].end - tokens_[0].begin));
    }

    // One (…), `next` at its bracket and then behind it.
    bool cut_row(std::size_t& next) {
        std::vector<InsertText::Item> row;
        // From the first token of an item to its last one: comments around it stay behind.
        std::size_t depth = 0, first = next + 1;
        for (; next < tokens_.size(); ++next) {
            const std::string_view read = token(next);
            const bool closes = read == ")" || read == "]";
            if (depth == 1 && (read == "," || closes)) {
                if (first >= next) return false;
                const std::uint32_t begin = tokens_[first].begin;
                row.push_back({std::string(text_.substr(begin, tokens_[next - 1].end - begin)), std::nullopt});
                first = next + 1;
            }
            if (read == "(" || read == "[") ++depth;
            if (closes && --depth == 0) {
                ++next;
                made_.rows.push_back(std::move(row));
                return true;
            }
        }
        return false;
    }

    std::string_view text_;
    std::vector<Token> tokens_;
    InsertText made_;
};

}  // namespace

std::optional<InsertText> cut_insert(std::string_view text) { return Cutter(text).cut(); }

std::string render_insert(const InsertRows& insert, std::span<const std::size_t> rows, std::span<const std::string> fill_values,
                          std::span<const bool> fill_is_null) {
    const auto& text = *static_cast<const InsertText*>(insert.tree.get());
    std::string sql = text.head + " (";
    for (std::size_t i = 0; i < text.columns.size(); ++i) sql += (i > 0 ? ", " : "") + quote_identifier(text.columns[i]);
    sql += ") " + text.overriding + (text.overriding.empty() ? "VALUES " : " VALUES ");
    for (std::size_t n = 0; n < rows.size(); ++n) {
        sql += n > 0 ? ", (" : "(";
        const std::vector<InsertText::Item>& row = text.rows.at(rows[n]);
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (i > 0) sql += ", ";
            if (!row[i].fill) sql += row[i].text;
            else if (fill_is_null[*row[i].fill]) sql += "NULL";
            else sql += quote_literal(fill_values[*row[i].fill]);
        }
        sql += ')';
    }
    if (!text.tail.empty()) sql += " " + text.tail;
    return sql;
}

}  // namespace pgmosaic::planner

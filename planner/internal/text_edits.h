#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/internal/lexer.h"

namespace pgmosaic::planner {

/// Changes to single names of a SQL text; all else stays as its author wrote it, so that nothing can change its meaning.
///
/// Lifetime  borrows the text
/// Errors    what cannot be found where the parser said it is makes the whole result nullopt
class TextEdits {
   public:
    /// `offset`: where the text begins in the string that the parser's locations count from.
    TextEdits(std::string_view text, std::size_t offset);

    /// A table's name in FROM, with schema, ONLY and `*`, becomes `replacement`; `alias` follows unless the text gives one
    /// itself (empty). `TABLE name` becomes a SELECT.
    void replace_relation(int location, const std::string& replacement, const std::string& alias);
    /// Of a column's name of `parts` parts the first `dropped` go.
    void drop_qualifiers(int location, int parts, int dropped);
    /// A name that is a value by itself, with the brackets behind it if it has any, becomes `replacement`.
    void replace_value(int location, bool brackets, std::string replacement);
    /// The text cannot be had by changing names.
    void give_up() { failed_ = true; }
    /// The text with all changes; a semicolon at its end is left out.
    std::optional<std::string> result() const;

   private:
    struct Edit {
        std::size_t begin = 0;
        std::size_t end = 0;
        std::string text{};
    };

    std::optional<std::size_t> token_at(int location) const;
    /// The token behind a name of dotted parts; nullopt if there is no such name.
    std::optional<std::size_t> behind_name(std::size_t first) const;
    bool is_word(std::size_t token, std::string_view word) const;
    bool is_sign(std::size_t token, std::string_view sign) const;
    void add(std::size_t begin, std::size_t end, std::string text);

    std::string_view text_;
    std::size_t offset_;
    std::vector<Token> tokens_;
    std::vector<Edit> edits_;
    bool failed_ = false;
};

}  // namespace pgmosaic::planner

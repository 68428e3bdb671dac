#include "planner/internal/text_edits.h"

#include <algorithm>

namespace pgmosaic::planner {

namespace {

bool is_name(const Token& token) { return token.kind == Token::Kind::kWord || token.kind == Token::Kind::kQuoted; }

bool equal_words(std::string_view left, std::string_view right) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), [&](char a, char b) { return lower(a) == lower(b); });
}

}  // namespace

TextEdits::TextEdits(std::string_view text, std::size_t offset) : text_(text), offset_(offset) { failed_ = !tokenize(text_, tokens_); }

std::optional<std::size_t> TextEdits::token_at(int location) const {
    if (location < 0 || static_cast<std::size_t>(location) < offset_) return std::nullopt;
    const std::size_t begin = static_cast<std::size_t>(location) - offset_;
    const auto found = std::lower_bound(tokens_.begin(), tokens_.end(), begin, [](const Token& token, std::size_t at) { return token.begin < at; });
    if (found == tokens_.end() || found->begin != begin) return std::nullopt;
    return static_cast<std::size_t>(found - tokens_.begin());
}

bool TextEdits::is_word(std::size_t token, std::string_view word) const {
    return token < tokens_.size() && tokens_[token].kind == Token::Kind::kWord && equal_words(tokens_[token].text(text_), word);
}

bool TextEdits::is_sign(std::size_t token, std::string_view sign) const {
    return token < tokens_.size() && !is_name(tokens_[token]) && !tokens_[token].literal() && tokens_[token].text(text_) == sign;
}

std::optional<std::size_t> TextEdits::behind_name(std::size_t first) const {
    for (std::size_t at = first; at < tokens_.size() && is_name(tokens_[at]); at += 2) {
        if (is_word(at + 1, "uescape")) return std::nullopt;
        if (!is_sign(at + 1, ".")) return at + 1;
    }
    return std::nullopt;
}

void TextEdits::replace_relation(int location, const std::string& replacement, const std::string& alias) {
    const auto first = token_at(location);
    auto behind = first ? behind_name(*first) : std::nullopt;
    if (!behind) {
        failed_ = true;
        return;
    }
    std::size_t begin = *first;
    if (is_sign(*behind, "*")) ++*behind;
    const bool in_brackets = begin >= 2 && is_sign(begin - 1, "(") && is_word(begin - 2, "only");
    if (in_brackets) {
        begin -= 2;
        ++*behind;
    } else if (begin >= 1 && is_word(begin - 1, "only")) {
        --begin;
    }
    std::string text = replacement;
    if (!alias.empty()) text += " AS " + alias;
    if (begin >= 1 && is_word(begin - 1, "table")) {
        --begin;
        text = "SELECT * FROM " + text;
    }
    add(tokens_[begin].begin, tokens_[*behind - 1].end, std::move(text));
}

void TextEdits::drop_qualifiers(int location, int parts, int dropped) {
    const auto first = token_at(location);
    if (!first || *first + 2 * static_cast<std::size_t>(parts) - 1 > tokens_.size()) {
        failed_ = true;
        return;
    }
    for (int i = 0; i < dropped; ++i) {
        const std::size_t name = *first + 2 * static_cast<std::size_t>(i);
        failed_ |= !is_name(tokens_[name]) || !is_sign(name + 1, ".");
    }
    add(tokens_[*first].begin, tokens_[*first + 2 * static_cast<std::size_t>(dropped)].begin, {});
}

void TextEdits::replace_value(int location, bool brackets, std::string replacement) {
    const auto first = token_at(location);
    auto behind = first ? behind_name(*first) : std::nullopt;
    if (behind && brackets) {
        const std::size_t close = *behind + (is_sign(*behind + 1, ")") ? 1 : 2);
        if (is_sign(*behind, "(") && is_sign(close, ")")) behind = close + 1;
        else behind.reset();
    }
    if (!behind) {
        failed_ = true;
        return;
    }
    add(tokens_[*first].begin, tokens_[*behind - 1].end, std::move(replacement));
}

void TextEdits::add(std::size_t begin, std::size_t end, std::string text) {
    const bool again = std::any_of(edits_.begin(), edits_.end(), [&](const Edit& each) { return each.begin == begin; });
    if (!again) edits_.push_back({begin, end, std::move(text)});
}

std::optional<std::string> TextEdits::result() const {
    if (failed_ || tokens_.empty()) return std::nullopt;
    std::vector<Edit> edits = edits_;
    std::sort(edits.begin(), edits.end(), [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
    std::string text;
    std::size_t at = 0;
    for (const Edit& edit : edits) {
        if (edit.begin < at) return std::nullopt;
        text += text_.substr(at, edit.begin - at);
        text += edit.text;
        at = edit.end;
    }
    // From the last token on there are only comments.
    const Token& last = tokens_.back();
    const std::size_t end = is_sign(tokens_.size() - 1, ";") ? last.begin : last.end;
    if (at < end) text += text_.substr(at, end - at);
    return text;
}

}  // namespace pgmosaic::planner

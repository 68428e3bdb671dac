#include <algorithm>
#include <array>

#include "coordinator/admin/table_checks.h"

/// What a trigger's body may do, told by its words alone: a word too many only refuses, a word too few would be a wrong row.
namespace pgmosaic::coordinator {

namespace {

constexpr std::array<std::string_view, 24> kReachesOut{
    "select", "insert", "update", "delete",  "merge",  "truncate", "perform", "execute",   "call",  "do",     "copy",  "from",
    "into",   "table",  "with",   "nextval", "setval", "currval",  "lastval", "notify",    "fetch", "cursor", "open",
    "listen"};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || static_cast<unsigned char>(c) >= 128; }

/// Words and signs of a body in lower case, without comments; strings become the single token '.
std::vector<std::string> tokens_of(std::string_view source) {
    std::vector<std::string> tokens;
    for (std::size_t i = 0; i < source.size();) {
        const char c = source[i];
        if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            ++i;
        } else if (source.substr(i, 2) == "--") {
            i = std::min(source.find('\n', i), source.size());
        } else if (source.substr(i, 2) == "/*") {
            const std::size_t end = source.find("*/", i + 2);
            i = end == std::string_view::npos ? source.size() : end + 2;
        } else if (c == '\'') {
            const std::size_t end = source.find('\'', i + 1);
            i = end == std::string_view::npos ? source.size() : end + 1;
            tokens.emplace_back("'");
        } else if (c == '"') {
            const std::size_t end = std::min(source.find('"', i + 1), source.size());
            tokens.emplace_back(source.substr(i + 1, end - i - 1));
            i = end + 1;
        } else if (is_word(c)) {
            std::size_t end = i;
            while (end < source.size() && is_word(source[end])) ++end;
            std::string word(source.substr(i, end - i));
            std::transform(word.begin(), word.end(), word.begin(),
                           [](char l) { return static_cast<char>(std::tolower(static_cast<unsigned char>(l))); });
            tokens.push_back(std::move(word));
            i = end;
        } else if (source.substr(i, 2) == ":=") {
            tokens.emplace_back(":=");
            i += 2;
        } else {
            tokens.emplace_back(1, c);
            ++i;
        }
    }
    return tokens;
}

bool is(const std::vector<std::string>& tokens, std::size_t i, std::string_view word) { return i < tokens.size() && tokens[i] == word; }

bool assigns(const std::vector<std::string>& tokens, std::size_t i) { return is(tokens, i, ":=") || is(tokens, i, "="); }

}  // namespace

bool may_touch_tables(const TriggerFacts& trigger, const std::vector<std::string>& functions) {
    if (trigger.built_in) return false;
    if (trigger.language != "plpgsql") return true;
    const std::vector<std::string> tokens = tokens_of(trigger.source);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const std::string& token = tokens[i];
        // A '$' may quote text that is run, and "IS DISTINCT FROM" is the one harmless FROM.
        if (token == "$") return true;
        if (token == "from" && i > 0 && tokens[i - 1] == "distinct") continue;
        if (std::find(kReachesOut.begin(), kReachesOut.end(), token) != kReachesOut.end()) return true;
        if (is(tokens, i + 1, "(") && std::find(functions.begin(), functions.end(), token) != functions.end()) return true;
    }
    return false;
}

bool may_change_column(const TriggerFacts& trigger, std::string_view column) {
    const std::vector<std::string> tokens = tokens_of(trigger.source);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i] != "new") continue;
        if (assigns(tokens, i + 1)) return true;
        if (is(tokens, i + 1, ".") && is(tokens, i + 2, column) && assigns(tokens, i + 3)) return true;
    }
    return false;
}

}  // namespace pgmosaic::coordinator

#include "cli/internal/config_place.h"

#include <algorithm>

namespace pgmosaic::cli {

namespace {

/// Characters of UTF-8 between two bytes: columns are counted as people see them.
int characters(std::string_view text, std::size_t begin, std::size_t end) {
    const std::string_view part = text.substr(begin, end - begin);
    return static_cast<int>(std::count_if(part.begin(), part.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
}

std::size_t written_length(const YAML::Node& node, std::string_view text, std::size_t begin) {
    if (!node.IsScalar()) return 1;
    const bool quoted = begin < text.size() && (text[begin] == '"' || text[begin] == '\'');
    return node.Scalar().size() + (quoted ? 2 : 0);
}

}  // namespace

std::optional<YAML::Node> member(const YAML::Node& map, std::string_view key) {
    if (!map.IsMap()) return std::nullopt;
    for (const auto& entry : map) {
        if (entry.first.IsScalar() && entry.first.Scalar() == key) return entry.second;
    }
    return std::nullopt;
}

Problem problem_at(const YAML::Node& node, std::string_view text, std::string message, std::string hint) {
    Problem problem{.message = std::move(message), .hint = std::move(hint)};
    const YAML::Mark mark = node.Mark();
    if (mark.is_null() || mark.pos < mark.column || static_cast<std::size_t>(mark.pos) > text.size()) return problem;
    const auto begin = static_cast<std::size_t>(mark.pos);
    const std::size_t line_begin = begin - static_cast<std::size_t>(mark.column);
    const std::size_t line_end = std::min(text.find('\n', begin), text.size());
    const std::size_t end = std::min(begin + written_length(node, text, begin), line_end);
    problem.line = mark.line + 1;
    problem.column = characters(text, line_begin, begin) + 1;
    problem.length = std::max(1, characters(text, begin, std::max(begin, end)));
    return problem;
}

}  // namespace pgmosaic::cli

#include "cli/query_log.h"

#include <optional>
#include <regex>

#include "planner/split.h"

namespace pgmosaic::cli {

namespace {

/// Lines without their ends.
std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        lines.push_back(line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

/// Where a line of a server's log gives the text of a statement; nothing on other lines.
std::optional<std::string> logged_statement(std::string_view line) {
    static const std::regex entry(R"(^.{0,400}?LOG:  (?:duration: [0-9.]+ ms  )?(?:statement|execute [^:]*): )",
                                  std::regex::ECMAScript | std::regex::optimize);
    std::cmatch match;
    const std::string_view head = line.substr(0, 600);
    if (!std::regex_search(head.data(), head.data() + head.size(), match, entry)) return std::nullopt;
    return std::string(line.substr(static_cast<std::size_t>(match.length(0))));
}

void append_statements(std::string_view sql, std::vector<std::string>& statements) {
    for (std::string_view statement : planner::split_statements(sql)) statements.emplace_back(statement);
}

}  // namespace

std::vector<std::string> statements_of(std::string_view file) {
    std::vector<std::string> statements;
    std::string plain;
    std::optional<std::string> logged;
    bool is_log = false;
    for (std::string_view line : lines_of(file)) {
        if (logged && line.starts_with('\t')) {  // a statement goes on behind a tab
            *logged += '\n';
            *logged += line.substr(1);
            continue;
        }
        if (logged) append_statements(*logged, statements);
        logged = logged_statement(line);
        is_log = is_log || logged;
        if (!is_log && !line.starts_with('\\')) plain.append(line).append("\n");
    }
    if (logged) append_statements(*logged, statements);
    if (!is_log) append_statements(plain, statements);
    return statements;
}

}  // namespace pgmosaic::cli

#include "cli/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/internal/config_place.h"
#include "cli/internal/config_reader.h"
#include "cli/internal/config_rules.h"

namespace pgmosaic::cli {

namespace {

std::string_view line_of(std::string_view text, int line) {
    for (int i = 1; i < line && !text.empty(); ++i) {
        text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    }
    text = text.substr(0, text.find('\n'));
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
}

/// Blanks as wide as the first `columns - 1` characters of the line; tabs stay tabs, so that the mark fits below.
std::string indent_like(std::string_view line, int columns) {
    std::string indent;
    int seen = 0;
    for (char c : line) {
        if ((static_cast<unsigned char>(c) & 0xC0U) == 0x80U) continue;
        if (++seen >= columns) break;
        indent += c == '\t' ? '\t' : ' ';
    }
    return indent;
}

Problem syntax_problem(const YAML::Exception& failure) {
    return Problem{.line = failure.mark.is_null() ? 1 : failure.mark.line + 1,
                   .column = failure.mark.is_null() ? 1 : failure.mark.column + 1,
                   .message = "not YAML: " + failure.msg};
}

/// The default of a setting as `init` writes it, with its list of maps spread over lines.
std::string commented_entry(const Setting& setting, std::string_view key, const std::string& indent) {
    std::string entry = indent + "# " + std::string(setting.sentence);
    if (!setting.choices.empty()) entry += " One of: " + std::string(setting.choices) + ".";
    entry += '\n' + indent + std::string(key) + ": " + std::string(setting.default_value) + '\n';
    return entry;
}

}  // namespace

ConfigCheck check_config(const std::string& file, std::string text) {
    ConfigCheck check;
    check.text = std::move(text);
    check.config.file = file;
    try {
        const std::vector<YAML::Node> documents = YAML::LoadAll(check.text);
        const YAML::Node root = documents.empty() ? YAML::Node() : documents.front();
        if (documents.size() > 1) {
            check.problems.push_back(problem_at(documents[1], check.text, "a configuration is one document"));
        }
        const std::filesystem::path anchor = std::filesystem::absolute(file).parent_path();
        ConfigReader(check.config, check.problems, check.text, anchor).read(root);
        check_rules(check.config, root, check.text, check.problems);
    } catch (const YAML::Exception& failure) {
        check.problems.push_back(syntax_problem(failure));
    }
    std::stable_sort(check.problems.begin(), check.problems.end(), [](const Problem& a, const Problem& b) {
        return std::pair(a.line, a.column) < std::pair(b.line, b.column);
    });
    return check;
}

ConfigCheck check_config_file(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream text;
    if (stream && !std::filesystem::is_directory(file)) text << stream.rdbuf();
    if (!stream || std::filesystem::is_directory(file)) {
        ConfigCheck check;
        check.problems.push_back(Problem{.message = "cannot read configuration file \"" + file + "\""});
        return check;
    }
    return check_config(file, text.str());
}

Config default_config() { return check_config("pgmosaic.yaml", "").config; }

std::string render_problem(const Problem& problem, const std::string& file, std::string_view text) {
    if (problem.line == 0) {
        return file + ": error: " + problem.message + (problem.hint.empty() ? "" : " (" + problem.hint + ")") + '\n';
    }
    const std::string_view line = line_of(text, problem.line);
    const std::string number = std::to_string(problem.line);
    const std::string gutter(number.size() < 5 ? 5 - number.size() : 0, ' ');
    std::string rendered = file + ':' + number + ':' + std::to_string(problem.column) + ": error: " + problem.message;
    rendered += '\n' + gutter + number + " | " + std::string(line) + '\n';
    rendered += std::string(std::max<std::size_t>(5, number.size()), ' ') + " | " + indent_like(line, problem.column) +
                '^' + std::string(static_cast<std::size_t>(problem.length - 1), '~');
    if (!problem.hint.empty()) rendered += ' ' + problem.hint;
    return rendered + '\n';
}

std::string render_problems(const ConfigCheck& check, const std::string& file) {
    std::string all;
    for (const Problem& problem : check.problems) all += render_problem(problem, file, check.text);
    return all;
}

std::string initial_config() {
    std::string page = "# Configuration of pgmosaic. Every setting stands here with its default; delete what you do\n"
                       "# not change. `pgmosaic check FILE` names everything that is wrong.\n";
    std::string_view section;
    for (const Setting& setting : settings()) {
        if (setting.name.find("[].") != std::string_view::npos) continue;  // fields are seen in the list's own default
        const std::size_t dot = setting.name.find('.');
        const std::string_view own_section = dot == std::string_view::npos ? "" : setting.name.substr(0, dot);
        if (own_section != section || own_section.empty()) page += '\n';
        if (!own_section.empty() && own_section != section) page += std::string(own_section) + ":\n";
        section = own_section;
        page += commented_entry(setting, own_section.empty() ? setting.name : setting.name.substr(dot + 1),
                                own_section.empty() ? "" : "  ");
    }
    return page;
}

}  // namespace pgmosaic::cli

#include "cli/internal/config_reader.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "cli/internal/config_place.h"
#include "cli/internal/suggest.h"

namespace pgmosaic::cli {

namespace {

std::vector<std::string> words(std::string_view text) {
    std::istringstream stream{std::string(text)};
    return {std::istream_iterator<std::string>(stream), std::istream_iterator<std::string>()};
}

/// The settings and sections directly under `prefix`.
std::vector<std::string> keys_under(const std::string& prefix) {
    std::set<std::string> keys;
    for (const Setting& setting : settings()) {
        if (!setting.name.starts_with(prefix)) continue;
        std::string_view rest = setting.name.substr(prefix.size());
        keys.emplace(rest.substr(0, rest.find_first_of(".[")));
    }
    return {keys.begin(), keys.end()};
}

bool is_section(const std::string& name) {
    return std::any_of(settings().begin(), settings().end(),
                       [&](const Setting& setting) { return setting.name.starts_with(name + "."); });
}

std::string join(const std::vector<std::string>& items, const char* separator) {
    std::string text;
    for (const std::string& item : items) text += (text.empty() ? "" : separator) + item;
    return text;
}

/// Does the file name this setting? `path` is relative to `map`: `pool.mode`.
bool is_given(const YAML::Node& map, std::string_view path) {
    const std::size_t dot = path.find('.');
    const std::optional<YAML::Node> found = member(map, path.substr(0, dot));
    return found && (dot == std::string_view::npos || is_given(*found, path.substr(dot + 1)));
}

std::string name_fault(std::string_view name) {
    if (name.empty()) return "is empty";
    if (name.size() > 63) return "is longer than 63 characters";
    const bool fits = std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_' || c == '-';
    });
    return fits && std::islower(static_cast<unsigned char>(name[0])) != 0
               ? ""
               : "may have lower-case letters, digits, _ and -, and begins with a letter";
}

}  // namespace

std::string address_fault(std::string_view address, bool sockets_allowed) {
    if (address.starts_with("unix:")) {
        if (!sockets_allowed) return "a Unix socket is not possible here; write host:port";
        // sun_path holds 108 bytes, and the socket's own name is `/.s.PGSQL.65535`.
        if (address.size() < 7 || address[5] != '/') return "a socket directory is an absolute path: unix:/run/pgmosaic";
        return address.size() - 5 > 90 ? "the path of a socket directory has 90 bytes at most" : "";
    }
    const std::size_t colon = address.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return "an address is host:port";
    const std::string_view host = address.substr(0, colon);
    const std::string_view port = address.substr(colon + 1);
    if (host.find(':') != std::string_view::npos && (host.front() != '[' || host.back() != ']')) {
        return "an IPv6 address stands in brackets: [::1]:5432";
    }
    if (host.find_first_of(" /\t") != std::string_view::npos) return "an address is host:port";
    unsigned number = 0;
    const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), number);
    const bool whole = failure == std::errc() && end == port.data() + port.size();
    return whole && number >= 1 && number <= 65535 ? "" : "a port is a number from 1 to 65535";
}

ConfigReader::ConfigReader(Config& config, std::vector<Problem>& problems, std::string_view text,
                           std::filesystem::path anchor)
    : config_(config), problems_(problems), text_(text), anchor_(std::move(anchor)) {}

void ConfigReader::read(const YAML::Node& root) {
    if (root.IsMap()) {
        read_map(root, "");
    } else if (!root.IsNull()) {
        complain(root, "a configuration is a map of settings");
    }
    fill_defaults("", root);
}

void ConfigReader::read_map(const YAML::Node& map, const std::string& prefix) {
    std::map<std::string, YAML::Node> seen;
    for (const auto& entry : map) {
        if (!entry.first.IsScalar()) {
            complain(entry.first, "the name of a setting is a word");
            continue;
        }
        const auto [first, fresh] = seen.emplace(entry.first.Scalar(), entry.first);
        if (!fresh) {
            complain(entry.first, prefix + entry.first.Scalar() + " is set twice",
                     "first on line " + std::to_string(first->second.Mark().line + 1));
            continue;
        }
        read_entry(entry.first, entry.second, prefix);
    }
}

void ConfigReader::read_entry(const YAML::Node& key, const YAML::Node& value, const std::string& prefix) {
    const std::string name = prefix + key.Scalar();
    if (const Setting* setting = find_setting(name)) {
        if (setting->type == SettingType::kRecords) {
            read_records(*setting, value);
        } else {
            read_value(*setting, value);
        }
    } else if (!is_section(name)) {
        unknown_key(key, prefix);
    } else if (value.IsMap()) {
        read_map(value, name + ".");
    } else if (!value.IsNull()) {
        complain(value, name + " is a section", "write it as " + key.Scalar() + ": { " +
                                                    keys_under(name + ".").front() + ": … }");
    }
}

void ConfigReader::read_records(const Setting& setting, const YAML::Node& list) {
    const std::string name(setting.name);
    if (!list.IsSequence() && !list.IsNull()) return complain(list, name + " is a list of maps");
    config_.shown[name] = std::to_string(list.size()) + " entries";
    for (const YAML::Node& record : list) {
        setting.store(config_, {});
        if (!record.IsMap()) {
            complain(record, "an entry of " + name + " is a map",
                     "{ " + join(keys_under(name + "[]."), ": …, ") + ": … }");
            continue;
        }
        read_map(record, name + "[].");
        fill_defaults(name + "[].", record);
    }
}

/// Settings of this level that the file does not name get their default by the same way as a written value.
void ConfigReader::fill_defaults(const std::string& prefix, const YAML::Node& map) {
    for (const Setting& setting : settings()) {
        const std::string_view name = setting.name;
        const bool nested = name.find("[].", prefix.size()) != std::string_view::npos;
        if (!name.starts_with(prefix) || nested) continue;
        if (is_given(map, name.substr(prefix.size()))) continue;
        const YAML::Node standard = YAML::Load(std::string(setting.default_value));
        if (setting.type == SettingType::kRecords) {
            read_records(setting, standard);
        } else {
            read_value(setting, standard);
        }
    }
}

void ConfigReader::read_value(const Setting& setting, const YAML::Node& node) {
    const bool list = setting.type == SettingType::kAddresses || setting.type == SettingType::kTexts;
    const std::optional<SettingValue> value = list ? list_value(setting, node) : scalar_value(setting, node);
    if (!value) return;
    setting.store(config_, *value);
    const bool shows_source = setting.type == SettingType::kSecret && node.IsScalar();
    config_.shown[std::string(setting.name)] =
        list ? join(value->items, ",") : (shows_source ? node.Scalar() : value->text);
}

std::optional<SettingValue> ConfigReader::list_value(const Setting& setting, const YAML::Node& node) {
    SettingValue value;
    if (node.IsScalar()) value.items = {node.Scalar()};  // `users: all`
    if (node.IsSequence()) {
        for (const YAML::Node& item : node) {
            if (item.IsScalar()) {
                value.items.push_back(item.Scalar());
            } else {
                complain(item, "an entry of " + std::string(setting.name) + " is a word");
            }
        }
    } else if (!node.IsScalar()) {
        complain(node, std::string(setting.name) + " is a list", "write it as [a, b]");
        return std::nullopt;
    }
    if (setting.type != SettingType::kAddresses) return value;
    const bool sockets_allowed = setting.name == "listen.postgres";
    for (std::size_t i = 0; i < value.items.size(); ++i) {
        const std::string fault = address_fault(value.items[i], sockets_allowed);
        const YAML::Node place = node.IsSequence() ? node[i] : node;
        if (!fault.empty()) {
            complain(place, "invalid address in " + std::string(setting.name) + ": \"" + value.items[i] + "\"", fault);
        }
    }
    return value;
}

std::optional<SettingValue> ConfigReader::scalar_value(const Setting& setting, const YAML::Node& node) {
    if (!node.IsScalar()) {
        complain(node, std::string(setting.name) + (node.IsNull() ? " has no value" : " is one value"),
                 std::string(type_name(setting.type)) + ", for example " + std::string(setting.default_value));
        return std::nullopt;
    }
    switch (setting.type) {
        case SettingType::kInteger: return integer(setting, node);
        case SettingType::kBoolean: return boolean(setting, node);
        case SettingType::kDuration: return duration(setting, node);
        case SettingType::kSize: return size(setting, node);
        case SettingType::kChoice: return choice(setting, node);
        case SettingType::kName: return name(setting, node);
        case SettingType::kText: return SettingValue{.text = node.Scalar()};
        case SettingType::kPath:
            if (node.Scalar().empty()) return SettingValue{};
            return SettingValue{.text = (anchor_ / node.Scalar()).lexically_normal().string()};
        case SettingType::kSecret: return secret(setting, node);
        case SettingType::kAddress: return address(setting, node);
        case SettingType::kAddresses:
        case SettingType::kTexts:
        case SettingType::kRecords: break;
    }
    return std::nullopt;
}

std::optional<SettingValue> ConfigReader::integer(const Setting& setting, const YAML::Node& node) {
    const std::string& text = node.Scalar();
    SettingValue value{.text = text};
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value.number);
    if (failure != std::errc() || end != text.data() + text.size()) {
        const std::string unit = setting.unit.empty() ? "" : " of " + std::string(setting.unit);
        complain(node, std::string(setting.name) + " is a whole number" + unit + ", not \"" + text + "\"");
        return std::nullopt;
    }
    if (value.number >= setting.minimum && value.number <= setting.maximum) return value;
    complain(node, std::string(setting.name) + " is out of bounds: " + text,
             "from " + std::to_string(setting.minimum) + " to " + std::to_string(setting.maximum));
    return std::nullopt;
}

std::optional<SettingValue> ConfigReader::boolean(const Setting& setting, const YAML::Node& node) {
    const std::string& text = node.Scalar();
    if (text == "true" || text == "false") return SettingValue{.text = text, .number = text == "true" ? 1 : 0};
    complain(node, std::string(setting.name) + " is true or false, not \"" + text + "\"");
    return std::nullopt;
}

std::optional<SettingValue> ConfigReader::duration(const Setting& setting, const YAML::Node& node) {
    std::chrono::milliseconds length{};
    if (!parse_duration(node.Scalar(), length)) {
        complain(node, std::string(setting.name) + " is a duration, not \"" + node.Scalar() + "\"",
                 "a number with ms, s, min, h or d, for example " + std::string(setting.default_value));
        return std::nullopt;
    }
    const std::int64_t number = length.count();
    if (number >= setting.minimum && number <= setting.maximum) {
        return SettingValue{.text = node.Scalar(), .number = number};
    }
    complain(node, std::string(setting.name) + " is out of bounds: " + node.Scalar(),
             "from " + format_duration(std::chrono::milliseconds(setting.minimum)) + " to " +
                 format_duration(std::chrono::milliseconds(setting.maximum)));
    return std::nullopt;
}

std::optional<SettingValue> ConfigReader::size(const Setting& setting, const YAML::Node& node) {
    std::int64_t bytes = 0;
    if (!parse_size(node.Scalar(), bytes)) {
        complain(node, std::string(setting.name) + " is a size, not \"" + node.Scalar() + "\"",
                 "a number with B, KiB, MiB, GiB or TiB, for example " + std::string(setting.default_value));
        return std::nullopt;
    }
    if (bytes >= setting.minimum && bytes <= setting.maximum) {
        return SettingValue{.text = node.Scalar(), .number = bytes};
    }
    complain(node, std::string(setting.name) + " is out of bounds: " + node.Scalar(),
             "from " + format_size(setting.minimum) + " to " + format_size(setting.maximum));
    return std::nullopt;
}

std::optional<SettingValue> ConfigReader::choice(const Setting& setting, const YAML::Node& node) {
    const std::vector<std::string> choices = words(setting.choices);
    if (std::find(choices.begin(), choices.end(), node.Scalar()) != choices.end()) {
        return SettingValue{.text = node.Scalar()};
    }
    const std::string guess = nearest(node.Scalar(), choices);
    complain(node, std::string(setting.name) + " cannot be \"" + node.Scalar() + "\"",
             guess.empty() ? "one of " + join(choices, ", ") : "did you mean " + guess + "?");
    return std::nullopt;
}

std::optional<SettingValue> ConfigReader::name(const Setting& setting, const YAML::Node& node) {
    const std::string fault = name_fault(node.Scalar());
    // The default of a field that must be given is empty: the check of the whole says which entry lacks it.
    if (fault.empty() || (node.Scalar().empty() && setting.default_value == "\"\"")) {
        return SettingValue{.text = node.Scalar()};
    }
    complain(node, std::string(setting.name) + " " + fault + ": \"" + node.Scalar() + "\"");
    return std::nullopt;
}

std::optional<SettingValue> ConfigReader::secret(const Setting& setting, const YAML::Node& node) {
    const std::string& source = node.Scalar();
    if (source.empty()) return SettingValue{};
    if (source.starts_with("env:")) {
        const char* value = std::getenv(source.c_str() + 4);
        if (value != nullptr) return SettingValue{.text = value};
        complain(node, "environment variable \"" + source.substr(4) + "\" of " + std::string(setting.name) + " is not set");
        return std::nullopt;
    }
    if (!source.starts_with("file:")) {
        // The value itself stays out of the message: it may be the secret.
        complain(node, std::string(setting.name) + " may not stand in the file itself", "write file:PATH or env:NAME");
        return std::nullopt;
    }
    const std::filesystem::path path = anchor_ / source.substr(5);
    std::ifstream file(path);
    SettingValue value;
    if (!file || !std::getline(file, value.text)) {
        complain(node, "cannot read the file of " + std::string(setting.name) + ": \"" + path.string() + "\"");
        return std::nullopt;
    }
    return value;
}

std::optional<SettingValue> ConfigReader::address(const Setting& setting, const YAML::Node& node) {
    const std::string fault = node.Scalar().empty() ? "" : address_fault(node.Scalar(), false);
    if (fault.empty()) return SettingValue{.text = node.Scalar()};
    complain(node, "invalid address in " + std::string(setting.name) + ": \"" + node.Scalar() + "\"", fault);
    return std::nullopt;
}

void ConfigReader::unknown_key(const YAML::Node& key, const std::string& prefix) {
    std::string guess = nearest(key.Scalar(), keys_under(prefix));
    for (const Setting& setting : settings()) {
        // The right word in the wrong section.
        const std::size_t dot = setting.name.rfind('.');
        if (guess.empty() && dot != std::string_view::npos && setting.name.substr(dot + 1) == key.Scalar()) {
            guess = setting.name;
        }
    }
    complain(key, prefix + key.Scalar() + " is not a setting", guess.empty() ? "" : "did you mean " + guess + "?");
}

void ConfigReader::complain(const YAML::Node& node, std::string message, std::string hint) {
    problems_.push_back(problem_at(node, text_, std::move(message), std::move(hint)));
}

}  // namespace pgmosaic::cli

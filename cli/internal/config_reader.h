#pragma once

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/settings.h"
#include "cli/config.h"

namespace pgmosaic::cli {

/// Walks a YAML tree along the table of settings, fills a Config and collects everything that is wrong.
class ConfigReader {
   public:
    ConfigReader(Config& config, std::vector<Problem>& problems, std::string_view text,
                 std::filesystem::path anchor);

    void read(const YAML::Node& root);

   private:
    void read_map(const YAML::Node& map, const std::string& prefix);
    void read_entry(const YAML::Node& key, const YAML::Node& value, const std::string& prefix);
    void read_records(const Setting& setting, const YAML::Node& list);
    void fill_defaults(const std::string& prefix, const YAML::Node& map);
    void read_value(const Setting& setting, const YAML::Node& node);

    std::optional<SettingValue> scalar_value(const Setting& setting, const YAML::Node& node);
    std::optional<SettingValue> list_value(const Setting& setting, const YAML::Node& node);
    std::optional<SettingValue> integer(const Setting& setting, const YAML::Node& node);
    std::optional<SettingValue> boolean(const Setting& setting, const YAML::Node& node);
    std::optional<SettingValue> duration(const Setting& setting, const YAML::Node& node);
    std::optional<SettingValue> size(const Setting& setting, const YAML::Node& node);
    std::optional<SettingValue> choice(const Setting& setting, const YAML::Node& node);
    std::optional<SettingValue> name(const Setting& setting, const YAML::Node& node);
    std::optional<SettingValue> secret(const Setting& setting, const YAML::Node& node);
    std::optional<SettingValue> address(const Setting& setting, const YAML::Node& node);

    /// Takes the mark of `node` for the place.
    void complain(const YAML::Node& node, std::string message, std::string hint = {});
    void unknown_key(const YAML::Node& key, const std::string& prefix);

    Config& config_;
    std::vector<Problem>& problems_;
    std::string_view text_;
    std::filesystem::path anchor_;
};

/// `host:port`, `[v6]:port`, or, where sockets are allowed, `unix:/directory`. What is wrong with it; empty: nothing.
std::string address_fault(std::string_view address, bool sockets_allowed);

}  // namespace pgmosaic::cli

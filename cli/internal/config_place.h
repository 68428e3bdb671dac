#pragma once

#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>
#include <string_view>

#include "cli/config.h"

namespace pgmosaic::cli {

/// The value of `key`, or nullopt when `map` has none or is no map. (yaml-cpp's own look-up gives a node that throws.)
std::optional<YAML::Node> member(const YAML::Node& map, std::string_view key);

/// A problem whose place is where `node` stands in `text`.
Problem problem_at(const YAML::Node& node, std::string_view text, std::string message, std::string hint = {});

}  // namespace pgmosaic::cli

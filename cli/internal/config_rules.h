#pragma once

#include <yaml-cpp/yaml.h>

#include <string_view>
#include <vector>

#include "base/settings.h"
#include "cli/config.h"

namespace pgmosaic::cli {

/// What no single setting can break: settings that do not fit together.
void check_rules(const Config& config, const YAML::Node& root, std::string_view text, std::vector<Problem>& problems);

}  // namespace pgmosaic::cli

#include "cli/reload.h"

#include "base/log.h"
#include "cli/config.h"

namespace pgmosaic::cli {

namespace {

bool is_shown_alike(const Config& before, const Config& after, const std::string& name) {
    const auto old = before.shown.find(name);
    const auto now = after.shown.find(name);
    const bool known = old != before.shown.end() && now != after.shown.end();
    return known ? old->second == now->second : (old == before.shown.end()) == (now == after.shown.end());
}

}  // namespace

std::vector<std::string> needing_restart(const Config& before, const Config& after) {
    std::vector<std::string> names;
    for (const Setting& setting : settings()) {
        const std::string name(setting.name);
        // Lists of maps are compared as a whole where they matter; `shards` is read for a new store only.
        if (setting.reloads || setting.type == SettingType::kRecords || name.find("[].") != std::string::npos) continue;
        if (!is_shown_alike(before, after, name)) names.push_back(name);
    }
    return names;
}

void reload_config(Config& config, Endpoint& endpoint) {
    ConfigCheck check = check_config_file(config.file);
    if (!check.problems.empty()) {
        for (const Problem& problem : check.problems) {
            spdlog::error("cli reload_refused {} line={} {}", log_field("file", config.file), problem.line, log_field("error", problem.message));
        }
        return;
    }
    if (const Result<void> taken = endpoint.reload(check.config); !taken) {
        spdlog::error("cli reload_refused {} {}", log_field("file", config.file), log_field("error", taken.error().message));
        return;
    }
    for (const std::string& name : needing_restart(config, check.config)) {
        spdlog::warn("cli reload_needs_restart {}", log_field("setting", name));
    }
    set_log_level(check.config.log_level);
    config = std::move(check.config);
    spdlog::info("cli reloaded {}", log_field("file", config.file));
}

}  // namespace pgmosaic::cli

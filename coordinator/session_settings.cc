#include "coordinator/session_settings.h"

#include <algorithm>

#include "coordinator/internal/timeouts.h"
#include "planner/planner.h"

namespace pgmosaic::coordinator {

namespace {

std::string reset_statement(const std::string& name) {
    if (name == "session authorization") return "RESET SESSION AUTHORIZATION;";
    if (name == "session characteristics") {
        return "RESET default_transaction_isolation;RESET default_transaction_read_only;RESET default_transaction_deferrable;";
    }
    std::string quoted;
    for (std::size_t begin = 0; begin <= name.size();) {
        const std::size_t dot = std::min(name.find('.', begin), name.size());
        quoted += (quoted.empty() ? "" : ".") + planner::quote_identifier(name.substr(begin, dot - begin));
        begin = dot + 1;
    }
    return "RESET " + quoted + ";";
}

bool contains(const SettingsState& state, const Setting& setting) {
    return std::find(state.values.begin(), state.values.end(), setting) != state.values.end();
}

bool names(const SettingsState& state, const std::string& name) {
    return std::any_of(state.values.begin(), state.values.end(), [&](const Setting& s) { return s.name == name; });
}

/// Who one is decides what one may set: a role is left first and taken last.
bool is_identity(const std::string& name) { return name == "role" || name == "session authorization"; }

}  // namespace

SettingsTable::SettingsTable() : empty_(std::make_shared<const SettingsState>()) {}

SettingsPointer SettingsTable::with(const SettingsPointer& state, Setting setting) {
    std::vector<Setting> values = state->values;
    std::erase_if(values, [&](const Setting& s) { return s.name == setting.name; });
    values.push_back(std::move(setting));
    return intern(std::move(values));
}

SettingsPointer SettingsTable::without(const SettingsPointer& state, std::string_view name) {
    std::vector<Setting> values = state->values;
    std::erase_if(values, [&](const Setting& s) { return s.name == name; });
    return intern(std::move(values));
}

SettingsPointer SettingsTable::intern(std::vector<Setting> values) {
    if (values.empty()) return empty_;
    std::stable_sort(values.begin(), values.end(), [](const Setting& a, const Setting& b) {
        if (is_identity(a.name) != is_identity(b.name)) return is_identity(b.name);
        return !is_identity(a.name) && a.name < b.name;
    });
    std::string key;
    for (const Setting& setting : values) key += setting.name + '\0' + setting.sql + '\0';
    if (states_.size() > sweep_at_) {
        std::erase_if(states_, [](const auto& entry) { return entry.second.expired(); });
        sweep_at_ = std::max<std::size_t>(1024, states_.size() * 2);
    }
    auto& slot = states_[key];
    if (auto known = slot.lock()) return known;
    auto state = std::make_shared<const SettingsState>(SettingsState{std::move(values)});
    slot = state;
    return state;
}

std::string settings_change(const SettingsState* from, const SettingsState& to) {
    std::string sql;
    if (from == nullptr) {
        sql = "RESET SESSION AUTHORIZATION;RESET ALL;";
        for (const Setting& setting : to.values) {
            if (!is_idle_timeout(setting.name)) sql += setting.sql + ";";
        }
        return sql;
    }
    if (from == &to) return sql;
    bool identity_changed = false;
    for (const Setting& setting : from->values) {
        if (!is_identity(setting.name) || contains(to, setting)) continue;
        sql += reset_statement(setting.name);
        identity_changed = true;
    }
    for (const Setting& setting : from->values) {
        if (!is_identity(setting.name) && !is_idle_timeout(setting.name) && !names(to, setting.name)) sql += reset_statement(setting.name);
    }
    for (const Setting& setting : to.values) {
        if (is_idle_timeout(setting.name)) continue;
        if (!contains(*from, setting) || (identity_changed && is_identity(setting.name))) sql += setting.sql + ";";
    }
    return sql;
}

}  // namespace pgmosaic::coordinator

#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pgmosaic::coordinator {

/// One setting that a client changed, with the statement that makes it so on any server session.
struct Setting {
    std::string name;  ///< lower case; `session authorization` and `role` are names, too
    std::string sql;   ///< `SET timezone TO 'UTC'`
    friend bool operator==(const Setting&, const Setting&) = default;
};

/// The settings of a client's session that differ from its role's and database's defaults; immutable. Equal states of one
/// core are the same object (SettingsTable), so that the hot path compares pointers.
struct SettingsState {
    std::vector<Setting> values;
};
using SettingsPointer = std::shared_ptr<const SettingsState>;

/// Interns the states of one core.
class SettingsTable {
   public:
    SettingsTable();
    /// The state without any change: what a new server session has.
    const SettingsPointer& empty() const { return empty_; }
    SettingsPointer with(const SettingsPointer& state, Setting setting);
    SettingsPointer without(const SettingsPointer& state, std::string_view name);

   private:
    SettingsPointer intern(std::vector<Setting> values);
    std::unordered_map<std::string, std::weak_ptr<const SettingsState>> states_;
    SettingsPointer empty_;
    std::size_t sweep_at_ = 1024;
};

/// What a server session in state `from` must run to be in state `to`; null `from`: nothing is known about it.
std::string settings_change(const SettingsState* from, const SettingsState& to);

}  // namespace pgmosaic::coordinator

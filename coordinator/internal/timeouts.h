#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "coordinator/session_settings.h"

namespace pgmosaic::coordinator {

/// The client's settings that bound time and that no single server can keep; zero: no bound.
struct Timeouts {
    Clock::duration statement{};
    Clock::duration idle_in_transaction{};
    Clock::duration idle_session{};
    bool any() const { return statement.count() + idle_in_transaction.count() + idle_session.count() > 0; }
};

/// What SET has said; what is only a role's or a database's default stays with the servers.
Timeouts timeouts_of(const SettingsState& settings, const std::vector<std::string>& local_settings);

/// These are kept here alone: a server session waits between a client's statements without anybody being idle.
bool is_idle_timeout(std::string_view name);
/// The same of a statement that sets something.
bool sets_idle_timeout(std::string_view sql);

/// As SHOW writes a time: `1500ms`, `5s`, `2min`.
std::string shown_time(Clock::duration time);

}  // namespace pgmosaic::coordinator

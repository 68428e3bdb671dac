#include "coordinator/internal/timeouts.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

namespace pgmosaic::coordinator {

namespace {

constexpr std::string_view kStatement = "statement_timeout";
constexpr std::string_view kIdleInTransaction = "idle_in_transaction_session_timeout";
constexpr std::string_view kIdleSession = "idle_session_timeout";

std::string lowered(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return lower;
}

struct Unit {
    std::string_view name;
    double milliseconds;
};
constexpr Unit kUnits[] = {{"us", 0.001}, {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};

/// `250`, `'5s'`, `1.5 min`: what stands behind the name in a SET or a set_config() that a server has accepted.
Clock::duration time_in(std::string_view text) {
    const std::size_t begin = text.find_first_of("0123456789.");
    if (begin == std::string_view::npos) return {};  // DEFAULT
    text.remove_prefix(begin);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return {};
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    std::string_view name = text.substr(0, std::min(text.size(), text.find_first_not_of("abcdefghijklmnopqrstuvwxyz")));
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits), [name](const Unit& each) { return each.name == name; });
    const double milliseconds = value * (unit == std::end(kUnits) ? 1.0 : unit->milliseconds);
    return std::chrono::milliseconds(static_cast<std::int64_t>(milliseconds + 0.5));
}

/// Nothing: the statement is about another setting.
std::optional<Clock::duration> time_set_by(const std::string& sql, std::string_view name) {
    const std::string lower = lowered(sql);
    const std::size_t at = lower.find(name);
    const bool whole = at != std::string::npos && (at == 0 || (!std::isalnum(static_cast<unsigned char>(lower[at - 1])) && lower[at - 1] != '_'));
    if (!whole) return std::nullopt;
    return time_in(std::string_view(lower).substr(at + name.size()));
}

Clock::duration time_of(std::string_view name, const SettingsState& settings, const std::vector<std::string>& local_settings) {
    for (auto local = local_settings.rbegin(); local != local_settings.rend(); ++local) {
        if (const auto time = time_set_by(*local, name)) return *time;
    }
    for (const Setting& setting : settings.values) {
        if (setting.name == name) return time_set_by(setting.sql, name).value_or(Clock::duration{});
    }
    return {};
}

}  // namespace

Timeouts timeouts_of(const SettingsState& settings, const std::vector<std::string>& local_settings) {
    return {.statement = time_of(kStatement, settings, local_settings),
            .idle_in_transaction = time_of(kIdleInTransaction, settings, local_settings),
            .idle_session = time_of(kIdleSession, settings, local_settings)};
}

bool is_idle_timeout(std::string_view name) { return name == kIdleInTransaction || name == kIdleSession; }

bool sets_idle_timeout(std::string_view sql) {
    const std::string lower = lowered(sql);
    return lower.find(kIdleInTransaction) != std::string::npos || lower.find(kIdleSession) != std::string::npos;
}

std::string shown_time(Clock::duration time) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    if (milliseconds == 0) return "0";
    for (auto unit = std::rbegin(kUnits); unit != std::rend(kUnits); ++unit) {
        const auto size = static_cast<std::int64_t>(unit->milliseconds);
        if (size > 0 && milliseconds % size == 0) return std::to_string(milliseconds / size) + std::string(unit->name);
    }
    return std::to_string(milliseconds) + "ms";
}

}  // namespace pgmosaic::coordinator

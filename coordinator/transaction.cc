#include "coordinator/transaction.h"

#include <algorithm>
#include <cctype>

#include "coordinator/internal/timeouts.h"
#include "planner/planner.h"

namespace pgmosaic::coordinator {

std::optional<Isolation> isolation_in(std::string_view modes) {
    std::string lower(modes);
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    // SET LOCAL of something else may have any text.
    const bool about_this = lower.find("isolation") != std::string::npos && lower.find("default_transaction") == std::string::npos;
    if (!about_this) return std::nullopt;
    if (lower.find("serializable") != std::string::npos) return Isolation::kSerializable;
    if (lower.find("repeatable") != std::string::npos) return Isolation::kRepeatableRead;
    if (lower.find("committed") != std::string::npos) return Isolation::kReadCommitted;
    return std::nullopt;
}

void Transaction::begin(Mode mode, std::string begin_sql, SettingsPointer settings) {
    mode_ = mode;
    failed_ = false;
    begun = Clock::now();
    set_begin_sql(std::move(begin_sql));
    settings_at_begin_ = std::move(settings);
}

void Transaction::end() {
    mode_ = Mode::kNone;
    failed_ = false;
    begin_sql_ = "BEGIN";
    isolation_.reset();
    participants_.clear();
    savepoints_.clear();
    local_settings_.clear();
    channel_changes_.clear();
    settings_at_begin_.reset();
    changed_catalog = changed_defaults = false;
    catalog.reset();
    moment_open = moment_tried = false;
    placement_changed = placement_of_old_table_changed = false;
    placement_hold.reset();
}

Participant* Transaction::find(ShardId shard) {
    const auto found = participants_.find(shard);
    return found == participants_.end() ? nullptr : &found->second;
}

Participant& Transaction::add(ShardId shard, backend::Lease lease) {
    Participant& participant = participants_[shard];
    participant.lease = std::move(lease);
    return participant;
}

std::size_t Transaction::writers() const {
    return static_cast<std::size_t>(
        std::count_if(participants_.begin(), participants_.end(), [](const auto& entry) { return entry.second.wrote; }));
}

std::string Transaction::join_sql() const {
    std::string sql = begin_sql_;
    for (const std::string& setting : local_settings_) {
        if (!sets_idle_timeout(setting)) sql += ";" + setting;
    }
    for (const Savepoint& savepoint : savepoints_) sql += ";SAVEPOINT " + planner::quote_identifier(savepoint.name);
    return sql;
}

void Transaction::set_begin_sql(std::string sql) {
    begin_sql_ = std::move(sql);
    isolation_ = isolation_in(begin_sql_);
}

void Transaction::note_modes(std::string_view sql) {
    if (const auto level = isolation_in(sql)) isolation_ = level;
}

}  // namespace pgmosaic::coordinator

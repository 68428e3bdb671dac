#include "coordinator/transaction.h"

#include <algorithm>

#include "planner/planner.h"

namespace pgmosaic::coordinator {

void Transaction::begin(Mode mode, std::string begin_sql, SettingsPointer settings) {
    mode_ = mode;
    failed_ = false;
    begin_sql_ = std::move(begin_sql);
    settings_at_begin_ = std::move(settings);
}

void Transaction::end() {
    mode_ = Mode::kNone;
    failed_ = false;
    begin_sql_ = "BEGIN";
    participants_.clear();
    savepoints_.clear();
    local_settings_.clear();
    settings_at_begin_.reset();
    changed_catalog = false;
    catalog.reset();
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
    for (const std::string& setting : local_settings_) sql += ";" + setting;
    for (const Savepoint& savepoint : savepoints_) sql += ";SAVEPOINT " + planner::quote_identifier(savepoint.name);
    return sql;
}

bool Transaction::serializable() const { return begin_sql_.find("SERIALIZABLE") != std::string::npos; }

}  // namespace pgmosaic::coordinator

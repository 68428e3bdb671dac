#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "coordinator/admin/table_facts.h"

namespace pgmosaic::coordinator {

/// The first reason why a table cannot be sharded by a column, as PostgreSQL would say it; nullopt if it can. `group`: the group
/// that it is to join; nullopt: a new one.
///
/// Refused as well is what cannot be proved harmless: code in triggers, policies and checks that may read rows of other
/// shards, or change the key (PROTOCOLS 5.2, 5.3).
std::optional<Error> why_not_sharded(const TableFacts& table, std::string_view column, std::optional<GroupId> group);

/// The same for a table that is to be whole on every shard.
std::optional<Error> why_not_reference(const TableFacts& table);

/// The same for a table that is to go home.
std::optional<Error> why_not_local(const TableFacts& table);

/// True if a trigger's body may read or write anything but the row at hand, judged by its words; `functions`: names whose mere
/// mention counts. True if unsure.
bool may_touch_tables(const TriggerFacts& trigger, const std::vector<std::string>& functions);

/// True if the body may assign to this column of NEW, or to NEW as a whole. True if unsure.
bool may_change_column(const TriggerFacts& trigger, std::string_view column);

}  // namespace pgmosaic::coordinator

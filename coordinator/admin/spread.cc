#include "coordinator/admin/spread.h"

#include <algorithm>

#include "coordinator/admin/copy_rows.h"

namespace pgmosaic::coordinator {

namespace {


bool travels_binary(const TableFacts& table) {
    return std::all_of(table.columns.begin(), table.columns.end(), [](const ColumnFacts& c) { return c.type < kFirstUserOid; });
}

/// The columns that are stored as they are given, by name: their order may differ between shards.
std::string columns_to_spread(const TableFacts& table) {
    std::string list;
    for (const ColumnFacts& column : table.columns) {
        if (!column.generated) list += (list.empty() ? "" : ", ") + planner::quote_identifier(column.name);
    }
    return list;
}

std::string format_of(const TableFacts& table) { return travels_binary(table) ? " (FORMAT binary)" : " (FORMAT text)"; }

std::string copy_out_sql(const TableFacts& table, const std::string& condition) {
    return "COPY (SELECT " + columns_to_spread(table) + " FROM " + table.qualified() + (condition.empty() ? "" : " WHERE " + condition) +
           ") TO STDOUT" + format_of(table);
}

std::string copy_in_sql(const TableFacts& table) {
    return "COPY " + table.qualified() + " (" + columns_to_spread(table) + ") FROM STDIN" + format_of(table);
}

std::string switch_triggers_sql(const TableFacts& table, bool on) {
    std::string sql;
    for (const TriggerFacts& trigger : table.triggers) {
        if (trigger.enabled == 'D') continue;
        const std::string verb = !on                       ? "DISABLE"
                                 : trigger.enabled == 'A' ? "ENABLE ALWAYS"
                                 : trigger.enabled == 'R' ? "ENABLE REPLICA"
                                                          : "ENABLE";
        sql += "ALTER TABLE " + trigger.table + " " + verb + " TRIGGER " + planner::quote_identifier(trigger.name) + ";";
    }
    return sql;
}

/// Settings by which text loses nothing and means the same on both sides; only where rows cannot travel in binary form.
constexpr std::string_view kExactText[][2] = {
    {"extra_float_digits", "1"}, {"datestyle", "ISO, YMD"}, {"intervalstyle", "postgres"}};

Task<std::vector<std::string>> set_exact_text(Session& session, ShardId shard, std::vector<std::string> values) {
    std::string before;
    std::string after;
    for (std::size_t i = 0; i < std::size(kExactText); ++i) {
        const std::string name = planner::quote_literal(kExactText[i][0]);
        before += (i > 0 ? ", " : "") + std::string("pg_catalog.current_setting(") + name + ")";
        after += (i > 0 ? ", " : "") + std::string("pg_catalog.set_config(") + name + ", " + planner::quote_literal(values[i]) + ", true)";
    }
    const auto old = co_await session.query_shard(shard, "SELECT " + before, true);
    co_await session.query_shard(shard, "SELECT " + after, true);
    std::vector<std::string> found;
    for (const auto& value : old.rows.at(0)) found.push_back(value.value_or(""));
    co_return found;
}

/// What is switched off on a shard while rows move, and switched on again.
struct Quiet {
    ShardId shard{};
    std::vector<std::string> settings;
};

Task<Quiet> be_quiet(Session& session, const TableFacts& table, ShardId shard) {
    Quiet quiet{shard, {}};
    if (!travels_binary(table)) {
        std::vector<std::string> exact;
        for (const auto& setting : kExactText) exact.emplace_back(setting[1]);
        quiet.settings = co_await set_exact_text(session, shard, exact);
    }
    const std::string off = switch_triggers_sql(table, false);
    if (!off.empty()) co_await session.query_shard(shard, off, true);
    co_return quiet;
}

Task<> end_quiet(Session& session, const TableFacts& table, Quiet quiet) {
    const std::string on = switch_triggers_sql(table, true);
    if (!on.empty()) co_await session.query_shard(quiet.shard, on, true);
    if (!quiet.settings.empty()) co_await set_exact_text(session, quiet.shard, quiet.settings);
}

Task<> check_empty(Session& session, const TableFacts& table, ShardId shard) {
    const auto found = co_await session.query_shard(shard, "SELECT EXISTS (SELECT FROM " + table.qualified() + ")", true);
    if (found.scalar() != "t") co_return;
    throw PgError(Error{.code = sqlstate::kObjectNotInPrerequisiteState,
                        .message = "table \"" + table.name + "\" has rows on shard \"" + session.shard_name(shard) + "\" that do not belong there",
                        .detail = "A local table lives on the home shard; its twins on other shards are empty.",
                        .hint = "Look at them with SET mosaic.shard and remove them."});
}

Task<std::uint64_t> delete_rows(Session& session, const TableFacts& table, ShardId shard, std::string condition) {
    // Put together before: GCC 12 destroys a conditional temporary twice if its expression waits.
    std::string sql = "DELETE FROM " + table.qualified();
    if (!condition.empty()) sql += " WHERE " + condition;
    const auto done = co_await session.query_shard(shard, std::move(sql), true);
    co_return wire::tag_rows(done.tag);
}

void check_counts(const TableFacts& table, std::uint64_t copied, std::uint64_t deleted) {
    if (copied == deleted) return;
    throw PgError(Error{.message = "rows of table \"" + table.name + "\" were not moved completely",
                        .detail = std::to_string(copied) + " rows were copied, " + std::to_string(deleted) + " deleted."});
}

}  // namespace

std::string bucket_sql(std::string_view column) {
    return "pg_catalog.hash_record_extended(ROW(" + planner::quote_identifier(column) + "), " +
           std::to_string(static_cast<std::int64_t>(shardmap::kPartitionSeed)) + ") & 65535";
}

std::string owned_sql(const shardmap::Ownership& owners, ShardId shard, std::string_view column) {
    std::string ranges;
    for (const shardmap::BucketRange& range : owners.ranges()) {
        if (range.owner != shard) continue;
        ranges += (ranges.empty() ? "" : ",") + std::string("[") + std::to_string(range.first) + "," + std::to_string(range.last) + "]";
    }
    return "'{" + ranges + "}'::pg_catalog.int8multirange @> (" + bucket_sql(column) + ")";
}

Task<> spread_rows(Session& session, const TableFacts& table, std::string column, const shardmap::Ownership& owners) {
    const ShardId home = session.home();
    const auto nulls = co_await session.query_shard(
        home, "SELECT EXISTS (SELECT FROM " + table.qualified() + " WHERE " + planner::quote_identifier(column) + " IS NULL)", true);
    if (nulls.scalar() == "t") {
        throw PgError(Error{.code = sqlstate::kNotNullViolation,
                            .message = "column \"" + column + "\" of relation \"" + table.name + "\" contains null values",
                            .detail = "Every row of a sharded table needs a value of its shard key."});
    }
    Quiet at_home = co_await be_quiet(session, table, home);
    std::uint64_t copied = 0;
    for (ShardId shard : session.other_shards()) {
        co_await check_empty(session, table, shard);
        Quiet there = co_await be_quiet(session, table, shard);
        copied += co_await copy_rows(session, home, copy_out_sql(table, owned_sql(owners, shard, column)), shard, copy_in_sql(table));
        co_await end_quiet(session, table, std::move(there));
    }
    const std::uint64_t deleted = co_await delete_rows(session, table, home, "NOT " + owned_sql(owners, home, column));
    check_counts(table, copied, deleted);
    co_await end_quiet(session, table, std::move(at_home));
}

Task<> copy_to_all(Session& session, const TableFacts& table) {
    Quiet at_home = co_await be_quiet(session, table, session.home());
    for (ShardId shard : session.other_shards()) {
        co_await check_empty(session, table, shard);
        Quiet there = co_await be_quiet(session, table, shard);
        co_await copy_rows(session, session.home(), copy_out_sql(table, {}), shard, copy_in_sql(table));
        co_await end_quiet(session, table, std::move(there));
    }
    co_await end_quiet(session, table, std::move(at_home));
}

Task<> gather_rows(Session& session, const TableFacts& table) {
    Quiet at_home = co_await be_quiet(session, table, session.home());
    for (ShardId shard : session.other_shards()) {
        Quiet there = co_await be_quiet(session, table, shard);
        const std::uint64_t copied =
            co_await copy_rows(session, shard, copy_out_sql(table, {}), session.home(), copy_in_sql(table));
        const std::uint64_t deleted = co_await delete_rows(session, table, shard, {});
        check_counts(table, copied, deleted);
        co_await end_quiet(session, table, std::move(there));
    }
    co_await end_quiet(session, table, std::move(at_home));
}

Task<> delete_copies(Session& session, const TableFacts& table) {
    for (ShardId shard : session.other_shards()) {
        Quiet there = co_await be_quiet(session, table, shard);
        co_await delete_rows(session, table, shard, {});
        co_await end_quiet(session, table, std::move(there));
    }
}

}  // namespace pgmosaic::coordinator

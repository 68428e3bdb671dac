#include "coordinator/admin/statistics.h"

#include "coordinator/admin/sizes.h"

namespace pgmosaic::coordinator {

namespace {

constexpr std::string_view kTableCounters =
    ".relid =schemaname =relname +seq_scan +seq_tup_read +idx_scan +idx_tup_fetch +n_tup_ins +n_tup_upd +n_tup_del +n_tup_hot_upd "
    "+n_live_tup +n_dead_tup +n_mod_since_analyze +n_ins_since_vacuum >last_vacuum >last_autovacuum >last_analyze >last_autoanalyze "
    "+vacuum_count +autovacuum_count +analyze_count +autoanalyze_count";
constexpr std::string_view kIndexCounters = ".relid .indexrelid =schemaname =relname =indexrelname +idx_scan +idx_tup_read +idx_tup_fetch";
constexpr std::string_view kTableBlocks =
    ".relid =schemaname =relname +heap_blks_read +heap_blks_hit +idx_blks_read +idx_blks_hit +toast_blks_read +toast_blks_hit "
    "+tidx_blks_read +tidx_blks_hit";
constexpr std::string_view kIndexBlocks = ".relid .indexrelid =schemaname =relname =indexrelname +idx_blks_read +idx_blks_hit";

constexpr StatisticsView kStatistics[] = {
    {"pg_stat_all_tables", kTableCounters},          {"pg_stat_user_tables", kTableCounters},          {"pg_stat_all_indexes", kIndexCounters},
    {"pg_stat_user_indexes", kIndexCounters},       {"pg_statio_all_tables", kTableBlocks},    {"pg_statio_user_tables", kTableBlocks},
    {"pg_statio_all_indexes", kIndexBlocks},  {"pg_statio_user_indexes", kIndexBlocks},
};

/// The parts of the sub-select, column by column.
struct StatisticsText {
    std::string shown, summed, types, keys, same;
};

void append(std::string& list, std::string_view separator, const std::string& more) {
    if (!list.empty()) list += separator;
    list += more;
}

StatisticsText texts_of(std::string_view columns) {
    StatisticsText text;
    while (!columns.empty()) {
        const std::string_view word = columns.substr(0, columns.find(' '));
        columns.remove_prefix(std::min(columns.size(), word.size() + 1));
        const char kind = word[0];
        const std::string name(word.substr(1));
        if (kind == '=') {
            append(text.shown, ", ", "h." + name);
            append(text.summed, ", ", name);
            append(text.types, ", ", name + " name");
            append(text.keys, ", ", name);
            append(text.same, " AND ", "e." + name + " = h." + name);
        } else if (kind == '+') {
            append(text.shown, ", ", "h." + name + " + COALESCE(e." + name + ", 0) AS " + name);
            append(text.summed, ", ", "pg_catalog.sum(" + name + ")::pg_catalog.int8 AS " + name);
            append(text.types, ", ", name + " int8");
        } else if (kind == '>') {
            append(text.shown, ", ", "GREATEST(h." + name + ", e." + name + ") AS " + name);
            append(text.summed, ", ", "pg_catalog.max(" + name + ") AS " + name);
            append(text.types, ", ", name + " timestamptz");
        } else {
            append(text.shown, ", ", "h." + name);
        }
    }
    return text;
}

}  // namespace

const StatisticsView* find_statistics_view(std::string_view name) {
    const auto* found = std::find_if(std::begin(kStatistics), std::end(kStatistics), [&](const auto& view) { return view.name == name; });
    return found == std::end(kStatistics) ? nullptr : found;
}

Task<std::string> statistics_sql(Session& session, const StatisticsView& view) {
    const std::string from = "pg_catalog." + std::string(view.name);
    const std::string here = std::string(kShardedTree) + " SELECT pg_catalog.json_agg(s) FROM " + from + " s JOIN tree t ON s.relid = t.oid";
    std::string documents;
    for (ShardId shard : session.core().cluster().map()->shard_ids()) {
        if (shard == session.home()) continue;
        const auto counted = co_await service_query(session.core(), shard, session.database(), here);
        if (counted.rows.empty() || !counted.rows[0][0]) continue;
        append(documents, ", ", "(" + planner::quote_literal(*counted.rows[0][0]) + ")");
    }
    if (documents.empty()) documents = "('[]')";
    const StatisticsText text = texts_of(view.columns);
    co_return "SELECT " + text.shown + " FROM " + from + " h LEFT JOIN (SELECT " + text.summed + " FROM (VALUES " + documents +
        ") d(rows), LATERAL pg_catalog.json_to_recordset(d.rows::pg_catalog.json) AS r(" + text.types + ") GROUP BY " + text.keys + ") e ON " +
        text.same;
}

}  // namespace pgmosaic::coordinator

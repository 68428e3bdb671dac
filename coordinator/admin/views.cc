#include "coordinator/admin/views.h"

#include <algorithm>

#include "coordinator/admin/view_rows.h"

namespace pgmosaic::coordinator {

const std::vector<View>& views() {
    static const std::vector<View> kViews{
        {"shards", {{"name", "text"}, {"state", "text"}, {"epoch", "int8"}, {"buckets", "int4"}, {"size_bytes", "int8"},
                    {"primary_node", "text"}, {"standby_node", "text"}, {"standing", "text"}, {"failover_step", "text"}}, shard_rows},
        {"nodes", {{"name", "text"}, {"shard", "text"}, {"role", "text"}, {"state", "text"}, {"host", "text"}, {"port", "int4"},
                   {"pid", "int4"}, {"data_directory", "text"}, {"timeline", "int4"}, {"lsn", "pg_lsn"}, {"sync", "bool"},
                   {"promotable", "bool"}, {"lag_bytes", "int8"}}, node_rows},
        {"tables", {{"schema", "text"}, {"name", "text"}, {"placement", "text"}, {"key_column", "text"}, {"key_type", "text"},
                    {"group_id", "int4"}}, table_rows},
        {"buckets", {{"group_id", "int4"}, {"group_name", "text"}, {"first_bucket", "int4"}, {"last_bucket", "int4"},
                     {"shard", "text"}}, bucket_rows},
        {"clients", {{"id", "int8"}, {"core", "int4"}, {"user_name", "text"}, {"database", "text"}, {"application_name", "text"},
                     {"state", "text"}, {"pinned_to", "text"}}, client_rows},
        {"pools", {{"core", "int4"}, {"shard", "text"}, {"kind", "text"}, {"idle", "int4"}, {"in_use", "int4"},
                   {"waiting", "int4"}, {"available", "bool"}}, pool_rows},
        {"servers", {{"core", "int4"}, {"shard", "text"}, {"kind", "text"}, {"database", "text"}, {"user_name", "text"},
                     {"idle", "int4"}}, server_rows},
        {"stats", {{"core", "int4"}, {"clients", "int4"}, {"active", "int4"}}, stat_rows},
        {"transactions", {{"gid", "text"}, {"shard", "text"}, {"database", "text"}, {"owner", "text"}, {"prepared", "timestamptz"},
                          {"verdict", "text"}, {"in_flight", "bool"}}, transaction_rows},
        {"locks", {{"shard", "text"}, {"pid", "int4"}, {"locktype", "text"}, {"relation", "text"}, {"mode", "text"},
                   {"granted", "bool"}, {"blocked_by", "text"}, {"user_name", "text"}, {"query", "text"}}, lock_rows},
        // Nothing is counted per statement yet, and there is no long work: both have their columns and no rows.
        {"statements", {{"query", "text"}, {"plan", "text"}, {"calls", "int8"}, {"rows", "int8"}, {"shards", "int8"},
                        {"total_seconds", "float8"}}, no_rows},
        {"jobs", {{"id", "int8"}, {"kind", "text"}, {"state", "text"}, {"done", "int8"}, {"total", "int8"},
                  {"started", "timestamptz"}, {"detail", "text"}}, no_rows},
        {"events", {{"id", "int8"}, {"at", "timestamptz"}, {"kind", "text"}, {"body", "jsonb"}}, event_rows},
        {"settings", {{"name", "text"}, {"value", "text"}, {"type", "text"}, {"unit", "text"}, {"default_value", "text"},
                      {"reloads", "bool"}, {"description", "text"}}, setting_rows},
        {"errors", {{"sqlstate", "text"}, {"situation", "text"}, {"advice", "text"}}, error_rows},
        {"status", {{"status", "json"}}, status_rows},
    };
    return kViews;
}

const View* find_view(std::string_view name) {
    const auto found = std::find_if(views().begin(), views().end(), [&](const View& view) { return view.name == name; });
    return found == views().end() ? nullptr : &*found;
}

Task<std::string> view_sql(Session& session, const View& view) {
    const JsonRows rows = co_await view.rows(session);
    std::string columns;
    std::string names;
    for (const ViewColumn& column : view.columns) {
        const std::string name = planner::quote_identifier(column.name);
        names += (names.empty() ? "" : ", ") + name;
        columns += (columns.empty() ? "" : ", ") + name + " pg_catalog." + std::string(column.type);
    }
    co_return "SELECT " + names + " FROM pg_catalog.json_to_recordset(" + planner::quote_literal(boost::json::serialize(rows)) +
        "::pg_catalog.json) AS x(" + columns + ")";
}

const View* find_shown_view(std::string_view word) {
    constexpr std::string_view kShown[] = {"pools", "clients", "servers", "stats", "shards", "nodes", "jobs"};
    std::string name(word);
    std::transform(name.begin(), name.end(), name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return std::find(std::begin(kShown), std::end(kShown), name) == std::end(kShown) ? nullptr : find_view(name);
}

std::vector<AnswerColumn> shown_columns(const View& view) {
    std::vector<AnswerColumn> columns;
    for (const ViewColumn& column : view.columns) {
        const Oid type = column.type == "int4" ? kIntegerType : column.type == "int8" ? kBigintType
                         : column.type == "bool" ? kBoolType : kTextType;
        columns.push_back({std::string(column.name), type});
    }
    return columns;
}

std::vector<AnswerRow> shown_rows(const View& view, const boost::json::array& rows) {
    std::vector<AnswerRow> answer;
    for (const boost::json::value& row : rows) {
        AnswerRow values;
        for (const ViewColumn& column : view.columns) {
            const boost::json::value* value = row.as_object().if_contains(column.name);
            if (value == nullptr || value->is_null()) values.emplace_back(std::nullopt);
            else if (value->is_string()) values.emplace_back(std::string(value->as_string()));
            else if (value->is_bool()) values.emplace_back(value->as_bool() ? "t" : "f");
            else values.emplace_back(boost::json::serialize(*value));
        }
        answer.push_back(std::move(values));
    }
    return answer;
}

}  // namespace pgmosaic::coordinator

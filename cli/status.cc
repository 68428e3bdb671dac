#include "cli/status.h"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <iostream>
#include <thread>

#include "cli/client.h"

namespace pgmosaic::cli {

namespace {

namespace json = boost::json;

constexpr auto kStatusTimeout = 10s;

/// Any scalar as people read it; what is missing or null is a blank.
std::string text(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    if (value == nullptr || value->is_null()) return "";
    if (value->is_bool()) return value->as_bool() ? "yes" : "no";
    return value->is_string() ? std::string(value->as_string()) : json::serialize(*value);
}

std::string bytes(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value == nullptr || !value->is_number() ? "" : human_bytes(value->to_number<double>());
}

const json::array& list(const json::object& object, std::string_view name) {
    static const json::array kNone;
    const json::value* value = object.if_contains(name);
    return value == nullptr || !value->is_array() ? kNone : value->as_array();
}

std::string header(const json::object& root) {
    std::string line = "cluster " + text(root, "cluster") + ": " + text(root, "state") + ", map version " +
                       text(root, "map_version");
    if (const json::value* endpoint = root.if_contains("endpoint"); endpoint != nullptr && endpoint->is_object()) {
        const json::object& at = endpoint->as_object();
        line += ", endpoint " + text(at, "host") + ":" + text(at, "port") + " (pid " + text(at, "pid") + ")";
    }
    return line + "\n";
}

std::string last_failover(const json::object& event) {
    std::string line = "last failover " + text(event, "at") + ": shard " + text(event, "shard") + " from " +
                       text(event, "from") + " to " + text(event, "to");
    const json::value* total = event.if_contains("total_ms");
    if (total != nullptr && total->is_number()) line += fmt::format(" in {:.0f} ms", total->to_number<double>());
    return line + (text(event, "cause").empty() ? "\n" : " (" + text(event, "cause") + ")\n");
}

std::string footer(const json::object& root) {
    std::string lines;
    if (const json::value* found = root.if_contains("workbench"); found != nullptr && found->is_object()) {
        const json::object& workbench = found->as_object();
        lines += "\nworkbench " + text(workbench, "host") + ":" + text(workbench, "port");
        lines += text(workbench, "pid").empty() ? "\n" : " (pid " + text(workbench, "pid") + ")\n";
    }
    for (const json::value& job : list(root, "jobs")) lines += "job " + json::serialize(job) + "\n";
    const json::value* failover = root.if_contains("last_failover");
    if (failover != nullptr && failover->is_object()) lines += last_failover(failover->as_object());
    return lines;
}

Result<json::value> ask_status(node::Sql& sql) {
    const Result<node::SqlRows> rows = sql.run("SELECT status FROM mosaic.status", Deadline::after(kStatusTimeout));
    if (!rows) return rows.error();
    boost::system::error_code failure;
    json::value document = json::parse(rows->scalar(), failure);
    if (!failure && document.is_object()) return document;
    return Error{.message = "the endpoint's answer is not a status", .detail = rows->scalar()};
}

std::string render(const json::value& document, Format format) {
    switch (format) {
        case Format::kJson: return format_json(document);
        case Format::kYaml: return format_yaml(document);
        case Format::kCsv: return status_csv(document);
        case Format::kTable: return status_screen(document, false);
        case Format::kWide: return status_screen(document, true);
    }
    return "";
}

}  // namespace

std::string status_screen(const json::value& status, bool wide) {
    const json::object& root = status.as_object();
    std::vector<std::string> columns{"SHARD", "STATE", "BUCKETS", "SIZE", "NODE", "ROLE", "ADDRESS", "PID", "IN SYNC", "LAG"};
    if (wide) columns.insert(columns.end(), {"EPOCH", "TIMELINE", "LSN", "PROMOTABLE", "DATA DIRECTORY"});
    std::vector<std::vector<std::string>> rows;
    for (const json::value& each : list(root, "shards")) {
        const json::object& shard = each.as_object();
        bool first = true;
        for (const json::value& entry : list(shard, "nodes")) {
            const json::object& node = entry.as_object();
            std::vector<std::string> row{first ? text(shard, "name") : "", first ? text(shard, "state") : "",
                                         first ? text(shard, "buckets") : "", first ? bytes(shard, "size_bytes") : "",
                                         text(node, "name"), text(node, "role"),
                                         text(node, "host") + ":" + text(node, "port"), text(node, "pid"),
                                         text(node, "sync"), bytes(node, "lag_bytes")};
            if (wide) {
                row.insert(row.end(), {first ? text(shard, "epoch") : "", text(node, "timeline"), text(node, "lsn"),
                                       text(node, "promotable"), text(node, "data_directory")});
            }
            rows.push_back(std::move(row));
            first = false;
        }
    }
    return header(root) + "\n" + format_table(columns, rows) + footer(root);
}

std::string status_csv(const json::value& status) {
    node::SqlRows rows;
    rows.columns = {"shard", "shard_state", "epoch", "buckets", "size_bytes", "node", "role", "host", "port", "pid",
                    "data_directory", "timeline", "lsn", "sync", "promotable", "lag_bytes"};
    for (const json::value& each : list(status.as_object(), "shards")) {
        const json::object& shard = each.as_object();
        for (const json::value& entry : list(shard, "nodes")) {
            const json::object& node = entry.as_object();
            std::vector<node::SqlValue> row;
            for (const char* name : {"name", "state", "epoch", "buckets", "size_bytes"}) row.emplace_back(text(shard, name));
            for (const char* name : {"name", "role", "host", "port", "pid", "data_directory", "timeline", "lsn", "sync",
                                     "promotable", "lag_bytes"}) {
                row.emplace_back(text(node, name));
            }
            rows.rows.push_back(std::move(row));
        }
    }
    return format_rows(rows, Format::kCsv);
}

ExitCode status_verdict(const json::value& status) {
    const std::string state = text(status.as_object(), "state");
    if (state == "down") return ExitCode::kDown;
    return state == "healthy" ? ExitCode::kDone : ExitCode::kDegraded;
}

ExitCode status(const std::string& cluster, const StatusOptions& options) {
    const bool clear = options.watch_seconds > 0 && isatty(STDOUT_FILENO) != 0;
    while (true) {
        Result<node::Sql> sql = connect_cluster(cluster);
        const Result<json::value> document = sql ? ask_status(*sql) : Result<json::value>(sql.error());
        if (!document && options.watch_seconds <= 0) return fail(document.error());
        if (clear) std::cout << "\033[H\033[2J";
        if (document) {
            std::cout << render(*document, options.format) << std::flush;
        } else {
            print_error(document.error());  // it may come back: that is what one watches for
        }
        if (options.watch_seconds <= 0) return options.check ? status_verdict(*document) : ExitCode::kDone;
        std::this_thread::sleep_for(std::chrono::duration<double>(options.watch_seconds));
    }
}

}  // namespace pgmosaic::cli

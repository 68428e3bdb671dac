#include "coordinator/internal/explanation.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/json_text.h"

namespace pgmosaic::coordinator {

namespace {

namespace json = boost::json;

std::string on_one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

std::string title_of(const ServerPlan& plan) {
    std::string title = "  ->  ";
    if (!plan.pull.empty()) title += "Pull " + plan.pull + " ";
    title += "on shard " + plan.server;
    if (plan.ms) title += fmt::format("  (time={:.3f} ms)", *plan.ms);
    return title;
}

std::string actuals_of(const Explanation& explanation) {
    if (!explanation.ms || !explanation.rows) return {};
    return fmt::format("  (actual time={:.3f} rows={} bytes={})", *explanation.ms, *explanation.rows, explanation.bytes.value_or(0));
}

json::object server_node(const ServerPlan& plan) {
    std::string document;
    for (const std::string& row : plan.rows) document += row;
    boost::system::error_code failure;
    json::value parsed = json::parse(document, failure);
    const bool is_plan = !failure && parsed.is_array() && parsed.as_array().size() == 1 && parsed.as_array()[0].is_object();
    if (!is_plan) throw PgError(Error{.message = "a shard's EXPLAIN is not of the shape of FORMAT JSON"});
    json::object whole = parsed.as_array()[0].as_object();
    json::object node;
    node["Shard"] = plan.server;
    if (!plan.pull.empty()) node["Pull"] = plan.pull;
    if (!plan.statement.empty()) node["Statement"] = plan.statement;
    if (plan.ms) node["Time"] = *plan.ms;
    if (const json::value* own = whole.if_contains("Plan"); own != nullptr && own->is_object()) {
        for (const auto& [key, value] : own->as_object()) node[key] = value;
    }
    return node;
}

}  // namespace

std::vector<std::string> text_of(const Explanation& explanation) {
    std::vector<std::string> lines{explanation.node + actuals_of(explanation)};
    const auto property = [&](const char* name, const std::string& value) {
        if (!value.empty()) lines.push_back(std::string("  ") + name + ": " + on_one_line(value));
    };
    property("Reason", explanation.reason);
    property("Shards", joined(explanation.shards));
    property("Rows", explanation.rows_of);
    property("Statement", explanation.statement);
    for (const ServerPlan& plan : explanation.plans) {
        lines.push_back(title_of(plan));
        if (!plan.statement.empty()) lines.push_back("        Statement: " + on_one_line(plan.statement));
        for (const std::string& row : plan.rows) lines.push_back("        " + on_one_line(row));
    }
    if (explanation.ms) lines.push_back(fmt::format("Execution Time: {:.3f} ms", *explanation.ms));
    return lines;
}

std::string json_of(const Explanation& explanation) {
    json::object node;
    node["Node Type"] = explanation.node;
    const auto property = [&](const char* name, const std::string& value) {
        if (!value.empty()) node[name] = value;
    };
    property("Reason", explanation.reason);
    if (!explanation.shards.empty()) node["Shards"] = json::value_from(explanation.shards);
    property("Rows Of", explanation.rows_of);
    property("Statement", explanation.statement);
    if (explanation.rows) node["Actual Rows"] = *explanation.rows;
    if (explanation.bytes) node["Actual Bytes"] = *explanation.bytes;
    json::array plans;
    for (const ServerPlan& plan : explanation.plans) plans.push_back(server_node(plan));
    if (!plans.empty()) node["Plans"] = std::move(plans);
    json::object whole;
    whole["Plan"] = std::move(node);
    if (explanation.ms) whole["Execution Time"] = *explanation.ms;
    return json_indented(json::array{std::move(whole)});
}

}  // namespace pgmosaic::coordinator

#include "planner/internal/time_places.h"

#include <algorithm>

#include "planner/internal/functions.h"
#include "planner/internal/text_edits.h"
#include "planner/internal/write_workbench.h"

namespace pgmosaic::planner {

namespace {

/// A sub-query keeps the name that the function gives a result column.
std::string moment(std::string_view place, const std::string& type, const std::string& name) {
    std::string value = "TIMESTAMPTZ '" + std::string(place) + "'";
    if (!type.empty()) value = "CAST(" + value + " AS " + type + ")";
    return "(SELECT " + value + " AS " + quote_identifier(name) + ")";
}

struct ValueFunction {
    std::string name{};
    std::string type{};
    bool precision = false;
};

std::optional<ValueFunction> read_value_function(const pg_query::SQLValueFunction& function) {
    const std::string precision = "(" + std::to_string(function.typmod()) + ")";
    switch (function.op()) {
        case pg_query::SVFOP_CURRENT_DATE: return ValueFunction{"current_date", "date"};
        case pg_query::SVFOP_CURRENT_TIME: return ValueFunction{"current_time", "time with time zone"};
        case pg_query::SVFOP_CURRENT_TIME_N: return ValueFunction{"current_time", "time" + precision + " with time zone", true};
        case pg_query::SVFOP_CURRENT_TIMESTAMP: return ValueFunction{"current_timestamp", ""};
        case pg_query::SVFOP_CURRENT_TIMESTAMP_N: return ValueFunction{"current_timestamp", "timestamp" + precision + " with time zone", true};
        case pg_query::SVFOP_LOCALTIME: return ValueFunction{"localtime", "time"};
        case pg_query::SVFOP_LOCALTIME_N: return ValueFunction{"localtime", "time" + precision, true};
        case pg_query::SVFOP_LOCALTIMESTAMP: return ValueFunction{"localtimestamp", "timestamp"};
        case pg_query::SVFOP_LOCALTIMESTAMP_N: return ValueFunction{"localtimestamp", "timestamp" + precision, true};
        default: return std::nullopt;
    }
}

void place_call(const pg_query::FuncCall& call, TextEdits& edits) {
    const QualifiedName name = name_of(call.funcname());
    if (call.args_size() > 0 || (!name.schema.empty() && name.schema != "pg_catalog")) return;
    if (name.name == "now" || name.name == "transaction_timestamp") {
        edits.replace_value(call.location(), true, moment(kTransactionTimePlace, "", name.name));
    } else if (name.name == "statement_timestamp") {
        edits.replace_value(call.location(), true, moment(kStatementTimePlace, "", name.name));
    }
}

std::string text_with_places(const google::protobuf::Message& tree, StatementText text) {
    TextEdits edits(text.text, text.offset);
    walk(tree, [&](const google::protobuf::Message& each) {
        if (const auto* call = as<pg_query::FuncCall>(each)) place_call(*call, edits);
        if (const auto* function = as<pg_query::SQLValueFunction>(each)) {
            if (const auto read = read_value_function(*function)) {
                edits.replace_value(function->location(), read->precision, moment(kTransactionTimePlace, read->type, read->name));
            }
        }
        return true;
    });
    const auto result = edits.result();
    return result && result->find('\x01') != std::string::npos ? *result : std::string();
}

/// One server alone has one now(); the leader of a reference table makes rows for all copies.
bool has_several_moments(const Statement& statement) {
    switch (statement.plan) {
        case PlanKind::kScatter:
        case PlanKind::kWorkbench: return true;
        case PlanKind::kInsert: return statement.insert->rows != 1;
        default: return false;
    }
}

}  // namespace

void place_times(const pg_query::Node& node, const QueryAnalysis& analysis, StatementText text, Statement& statement) {
    if (!analysis.has_now || !own_words(text)) return;
    if (statement.plan == PlanKind::kRoute && statement.route.otherwise && has_several_moments(*statement.route.otherwise)) {
        Statement otherwise = *statement.route.otherwise;
        otherwise.rewritten = text_with_places(node, text);
        statement.route.otherwise = std::make_shared<const Statement>(std::move(otherwise));
    } else if (has_several_moments(statement)) {
        statement.rewritten = text_with_places(node, text);
    }
}

std::string default_with_places(const std::string& default_expr) {
    constexpr std::string_view kSelect = "SELECT ";
    ParsedTree tree;
    parse(std::string(kSelect) + default_expr, tree);
    if (!tree.result || tree.result->stmts_size() != 1) return {};
    return text_with_places(tree.result->stmts(0).stmt(), {default_expr, kSelect.size()});
}

}  // namespace pgmosaic::planner

#include <algorithm>

#include "planner/internal/functions.h"
#include "planner/internal/statement.h"

namespace pgmosaic::planner {

namespace {

std::string option_value(const pg_query::DefElem& option) {
    if (option.arg().has_string()) return option.arg().string().sval();
    if (option.arg().has_boolean()) return option.arg().boolean().boolval() ? "true" : "false";
    if (option.arg().has_integer()) return std::to_string(option.arg().integer().ival());
    return {};
}

bool is_true(const pg_query::DefElem& option) {
    if (!option.has_arg()) return true;
    const std::string value = option_value(option);
    return value == "true" || value == "on" || value == "1" || value == "match";
}

void read_option(const pg_query::DefElem& option, Copy& copy, bool& delimiter_given) {
    const std::string& name = option.defname();
    const std::string value = option_value(option);
    if (name == "format") {
        if (value == "csv") copy.format = Copy::Format::kCsv;
        if (value == "binary") copy.format = Copy::Format::kBinary;
    } else if (name == "delimiter" && !value.empty()) {
        copy.delimiter = value[0];
        delimiter_given = true;
    } else if (name == "null") {
        copy.null_text = value;
    } else if (name == "quote" && !value.empty()) {
        copy.quote = value[0];
    } else if (name == "escape" && !value.empty()) {
        copy.escape = value[0];
    } else if (name == "header") {
        copy.header = is_true(option);
    } else if (name == "force_quote") {
        copy.force_quote_all = option.arg().has_a_star();
        for (const pg_query::Node& column : option.arg().list().items()) copy.force_quote.push_back(column.string().sval());
    } else if (name != "freeze") {
        copy.force_other_options = true;
    }
}

bool has_option(const pg_query::CopyStmt& from, std::string_view name) {
    return std::any_of(from.options().begin(), from.options().end(),
                       [&](const pg_query::Node& option) { return option.def_elem().defname() == name; });
}

void read_options(const pg_query::CopyStmt& from, Copy& copy) {
    bool delimiter_given = false;
    for (const pg_query::Node& option : from.options()) read_option(option.def_elem(), copy, delimiter_given);
    if (copy.format != Copy::Format::kCsv) return;
    if (!delimiter_given) copy.delimiter = ',';
    if (!has_option(from, "null")) copy.null_text.clear();
    if (!has_option(from, "escape")) copy.escape = copy.quote;
}

int column_index(const Table& table, const std::string& name) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        if (table.columns[i].name == name) return static_cast<int>(i);
    }
    throw PgError(Error{.code = sqlstate::kUndefinedColumn,
                        .message = "column \"" + name + "\" of relation \"" + table.name + "\" does not exist"});
}

void read_columns(const pg_query::CopyStmt& from, const Table& table, Copy& copy) {
    for (const pg_query::Node& column : from.attlist()) copy.columns.push_back(column_index(table, column.string().sval()));
    for (std::size_t i = 0; from.attlist_size() == 0 && i < table.columns.size(); ++i) {
        if (!table.columns[i].generated) copy.columns.push_back(static_cast<int>(i));
    }
    const auto key = std::find(copy.columns.begin(), copy.columns.end(), table.key);
    if (table.key >= 0 && key != copy.columns.end()) copy.key_field = static_cast<int>(key - copy.columns.begin());
}

// The statement with its columns named and FREEZE left out (the rows of one COPY go to several transactions).
std::string shard_text(const pg_query::CopyStmt& from, const Table& table, const Copy& copy) {
    pg_query::Node node;
    pg_query::CopyStmt& sent = *node.mutable_copy_stmt();
    sent = from;
    sent.clear_options();
    for (const pg_query::Node& option : from.options()) {
        if (option.def_elem().defname() != "freeze") *sent.add_options() = option;
    }
    sent.clear_attlist();
    for (int column : copy.columns) {
        sent.add_attlist()->mutable_string()->set_sval(table.columns[static_cast<std::size_t>(column)].name);
    }
    return deparse(node);
}

void check_filled_columns(const Table& table, const Copy& copy) {
    if (copy.key_field < 0) {
        refuse("COPY into \"" + table.name + "\" without its shard key",
               "The file has no column " + quoted(table.columns[static_cast<std::size_t>(table.key)].name) + " that says where a row belongs.",
               "Add the shard key to the file, or use INSERT.");
    }
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        const bool missing = std::find(copy.columns.begin(), copy.columns.end(), static_cast<int>(i)) == copy.columns.end();
        if (!missing || !table.columns[i].default_needs_home) continue;
        refuse("COPY into \"" + table.name + "\" without column " + quoted(table.columns[i].name),
               "Its default is evaluated on the home shard, and COPY sends rows straight to their shards.",
               "Add the column to the file, or use INSERT.");
    }
}

}  // namespace

Statement plan_copy(const pg_query::CopyStmt& from, StatementText text, PlanContext& context) {
    const bool on_server = !from.filename().empty() || from.is_program();
    const Table* home_table = from.has_relation() ? context.find_table(from.relation()) : nullptr;
    const bool at_home = from.has_relation() && (!home_table || home_table->placement == Placement::kLocal);
    if (on_server && at_home) {
        // A local table's server is the home shard, which says who may do this.
        Statement statement = route_home(Command::kCopy);
        statement.writes = true;
        statement.tag = "COPY";
        statement.pins = home_table && home_table->temporary;
        return statement;
    }
    if (on_server && from.has_query()) {
        Statement inner = plan_statement(from.query(), text, context);
        if (inner.plan == PlanKind::kRefuse) return inner;
        if (inner.plan == PlanKind::kRoute && inner.route.where == Route::Where::kHome) {
            inner.command = Command::kCopy;
            inner.writes = true;
            inner.returns_rows = false;
            inner.tag = "COPY";
            return inner;
        }
    }
    if (on_server) {
        refuse(from.is_program() ? "cannot COPY with a program on a server" : "cannot COPY to or from a file on a server",
               "The table's rows may lie on several hosts, the file on one.", "Use COPY … STDIN or STDOUT (\\copy in psql).");
    }
    Statement statement = route_home(Command::kCopy);
    statement.writes = from.is_from();
    statement.tag = "COPY";
    statement.moves_sequences = from.is_from() && at_home && home_table && has_home_defaults(*home_table);
    statement.copy.emplace();
    Copy& copy = *statement.copy;
    read_options(from, copy);
    if (from.has_query()) {
        const Statement inner = plan_statement(from.query(), text, context);
        if (inner.plan == PlanKind::kRefuse) return inner;
        statement.plan = PlanKind::kCopyOut;
        statement.writes = inner.writes;
        statement.runs_user_code = inner.runs_user_code;
        statement.moves_sequences = inner.moves_sequences;
        statement.reads_sequences = inner.reads_sequences;
        statement.pins = inner.pins;
        copy.query = deparse(from.query());
        pg_query::Node whole;
        *whole.mutable_copy_stmt() = from;
        copy.shard_sql = deparse(whole);
        // Keys are judged when it runs, by the query's own plan.
        if (inner.plan == PlanKind::kRoute && inner.route.where != Route::Where::kKey) {
            statement.plan = PlanKind::kRoute;
            statement.route = inner.route;
        }
        statement.reason = inner.reason;
        return statement;
    }
    if (from.is_from()) statement.plan = PlanKind::kCopyIn;  // also at home: the client's data must be waited for
    const Table* table = context.find_table(from.relation());
    if (!table) return statement;
    copy.table = table->oid;
    copy.placement = table->placement;
    if (table->kind == 'v') return statement;  // the server says that it cannot be copied
    read_columns(from, *table, copy);
    const bool spread = table->placement == Placement::kSharded || (table->placement == Placement::kReference && from.is_from());
    if (!spread) {
        statement.pins = table->temporary;
        return statement;
    }
    if (from.is_from() && table->placement == Placement::kSharded) check_filled_columns(*table, copy);
    if (from.is_from() && table->placement == Placement::kReference) {
        for (const Column& column : table->columns) {
            const bool given = std::any_of(copy.columns.begin(), copy.columns.end(), [&](int index) {
                return table->columns[static_cast<std::size_t>(index)].name == column.name;
            });
            if (given || (!column.default_is_volatile && column.default_expr.find("now") == std::string::npos)) continue;
            refuse("COPY into reference table \"" + table->name + "\" without column " + quoted(column.name),
                   "Its default would differ between the copies.", "Add the column to the file, or use INSERT.");
        }
    }
    statement.plan = from.is_from() ? PlanKind::kCopyIn : PlanKind::kCopyOut;
    statement.reason = from.is_from() ? "rows go to the shards that own their keys" : "all shards are read";
    copy.shard_sql = shard_text(from, *table, copy);
    return statement;
}

}  // namespace pgmosaic::planner

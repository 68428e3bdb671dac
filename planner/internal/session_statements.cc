#include <algorithm>

#include "planner/internal/functions.h"
#include "planner/internal/statement.h"
#include "planner/plan_details.h"

namespace pgmosaic::planner {

namespace {

Statement session_statement(Command command, std::string tag) {
    Statement statement;
    statement.command = command;
    statement.plan = PlanKind::kLocal;
    statement.writes = false;
    statement.tag = std::move(tag);
    statement.reason = "the session answers it";
    return statement;
}

std::string mode_text(const pg_query::DefElem& mode) {
    const pg_query::A_Const& value = mode.arg().a_const();
    const bool on = value.ival().ival() != 0;
    if (mode.defname() == "transaction_isolation") {
        std::string level = value.sval().sval();
        std::transform(level.begin(), level.end(), level.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
        return "ISOLATION LEVEL " + level;
    }
    if (mode.defname() == "transaction_read_only") return on ? "READ ONLY" : "READ WRITE";
    return on ? "DEFERRABLE" : "NOT DEFERRABLE";
}

std::string modes_text(const google::protobuf::RepeatedPtrField<pg_query::Node>& modes) {
    std::string text;
    for (const pg_query::Node& mode : modes) text += (text.empty() ? "" : ", ") + mode_text(mode.def_elem());
    return text;
}

std::string value_text(const pg_query::Node& value) {
    if (value.has_a_const()) {
        const pg_query::A_Const& constant = value.a_const();
        if (constant.has_ival()) return std::to_string(constant.ival().ival());
        if (constant.has_fval()) return constant.fval().fval();
        if (constant.has_sval()) return quote_literal(constant.sval().sval());
        if (constant.has_boolval()) return constant.boolval().boolval() ? "true" : "false";
    }
    return deparse_expression(value);
}

std::string trimmed(std::string_view text) {
    while (!text.empty() && (text.back() == ';' || std::isspace(static_cast<unsigned char>(text.back())))) text.remove_suffix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
    return std::string(text);
}

// The texts between the commas of the first bracket behind the name: PREPARE's types, EXECUTE's arguments.
std::vector<std::string> bracket_items(std::string_view text) {
    std::vector<Token> tokens;
    tokenize(text, tokens);
    std::vector<std::string> items;
    std::size_t depth = 0, begin = 0;
    for (std::size_t i = 2; i < tokens.size(); ++i) {
        const std::string_view token = tokens[i].text(text);
        if (i == 2 && token != "(") return items;
        const bool ends = depth == 1 && (token == "," || token == ")");
        if (ends) items.push_back(trimmed(text.substr(begin, tokens[i].begin - begin)));
        if (token == "(" || token == "[") ++depth;
        if (token == ")" || token == "]") --depth;
        if (depth == 0) break;
        if (ends || i == 2) begin = tokens[i].end;
    }
    if (items.size() == 1 && items[0].empty()) items.clear();
    return items;
}

// Where the statement begins that EXPLAIN (…) or EXPLAIN ANALYZE VERBOSE is about.
std::size_t explained_at(std::string_view text) {
    std::vector<Token> tokens;
    tokenize(text, tokens);
    std::size_t i = 1;
    if (i < tokens.size() && tokens[i].text(text) == "(") {
        while (i < tokens.size() && tokens[i].text(text) != ")") ++i;
        ++i;
    } else {
        const auto option = [&](std::string_view word) {
            std::string lower(word);
            std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
            return lower == "analyze" || lower == "analyse" || lower == "verbose";
        };
        while (i < tokens.size() && option(tokens[i].text(text))) ++i;
    }
    return i < tokens.size() ? tokens[i].begin : text.size();
}

struct ExplainOptions {
    bool analyze = false;
    std::string format = "text";
};

// The last of each counts, as in PostgreSQL.
ExplainOptions read_explain_options(const pg_query::ExplainStmt& from) {
    ExplainOptions options;
    for (const pg_query::Node& option : from.options()) {
        const pg_query::DefElem& each = option.def_elem();
        const std::string& value = each.arg().string().sval();
        if (each.defname() == "format") options.format = value;
        if (each.defname() != "analyze") continue;
        options.analyze = value != "off" && value != "false" && !(each.arg().has_integer() && each.arg().integer().ival() == 0);
    }
    return options;
}

// The plan, and the one that holds where its keys do not meet on one shard, are to be shown.
void mark_explained(Statement& statement, std::string_view text, const ExplainOptions& options) {
    const std::size_t at = explained_at(text);
    statement.command = Command::kExplain;
    statement.name = options.format;
    statement.arguments = {std::string(text.substr(0, at))};
    statement.argument = trimmed(text.substr(at));
    statement.tag = "EXPLAIN";
    statement.returns_rows = true;
    statement.writes &= options.analyze;
    statement.runs_user_code &= options.analyze;
    statement.force = options.analyze;
    if (statement.route.otherwise == nullptr) return;
    auto otherwise = std::make_shared<Statement>(*statement.route.otherwise);
    mark_explained(*otherwise, text, options);
    statement.route.otherwise = std::move(otherwise);
}

}  // namespace

std::string_view text_behind_word(std::string_view text, std::string_view word) {
    std::vector<Token> tokens;
    tokenize(text, tokens);
    std::size_t depth = 0;
    for (const Token& token : tokens) {
        const std::string_view read = token.text(text);
        if (read == "(") ++depth;
        if (read == ")" && depth > 0) --depth;
        const bool same = token.kind == Token::Kind::kWord && depth == 0 && read.size() == word.size() &&
                          std::equal(read.begin(), read.end(), word.begin(), [](char a, char b) { return std::tolower(a) == b; });
        if (same) return text.substr(token.end);
    }
    return {};
}

Statement plan_transaction(const pg_query::TransactionStmt& from) {
    Statement statement = session_statement(Command::kTransaction, {});
    statement.chain = from.chain();
    statement.name = from.savepoint_name();
    const auto is = [&](TransactionVerb verb, const char* tag) {
        statement.verb = verb;
        statement.tag = tag;
    };
    switch (from.kind()) {
        case pg_query::TRANS_STMT_BEGIN: is(TransactionVerb::kBegin, "BEGIN"); break;
        case pg_query::TRANS_STMT_START: is(TransactionVerb::kBegin, "START TRANSACTION"); break;
        case pg_query::TRANS_STMT_COMMIT: is(TransactionVerb::kCommit, "COMMIT"); break;
        case pg_query::TRANS_STMT_ROLLBACK: is(TransactionVerb::kRollback, "ROLLBACK"); break;
        case pg_query::TRANS_STMT_SAVEPOINT: is(TransactionVerb::kSavepoint, "SAVEPOINT"); break;
        case pg_query::TRANS_STMT_RELEASE: is(TransactionVerb::kRelease, "RELEASE"); break;
        case pg_query::TRANS_STMT_ROLLBACK_TO: is(TransactionVerb::kRollbackTo, "ROLLBACK"); break;
        case pg_query::TRANS_STMT_PREPARE: is(TransactionVerb::kPrepareTransaction, "PREPARE TRANSACTION"); break;
        case pg_query::TRANS_STMT_COMMIT_PREPARED: is(TransactionVerb::kCommitPrepared, "COMMIT PREPARED"); break;
        case pg_query::TRANS_STMT_ROLLBACK_PREPARED: is(TransactionVerb::kRollbackPrepared, "ROLLBACK PREPARED"); break;
        default: break;
    }
    if (!from.gid().empty()) statement.name = from.gid();
    if (statement.verb == TransactionVerb::kBegin) statement.argument = modes_text(from.options());
    return statement;
}

Statement plan_set(const pg_query::VariableSetStmt& from, StatementText) {
    const bool reset = from.kind() == pg_query::VAR_RESET || from.kind() == pg_query::VAR_RESET_ALL;
    Statement statement = session_statement(reset ? Command::kReset : Command::kSet, reset ? "RESET" : "SET");
    statement.local = from.is_local();
    statement.name = from.kind() == pg_query::VAR_RESET_ALL ? "all" : from.name();
    if (from.kind() == pg_query::VAR_SET_MULTI) {
        if (from.name() == "TRANSACTION SNAPSHOT") {
            statement.name = "transaction snapshot";
            statement.argument = from.args(0).a_const().sval().sval();
            return statement;
        }
        statement.argument = modes_text(from.args());
        return statement;
    }
    for (const pg_query::Node& value : from.args()) {
        statement.argument += (statement.argument.empty() ? "" : ", ") + value_text(value);
    }
    return statement;
}

Statement plan_show(const pg_query::VariableShowStmt& from) {
    static constexpr std::string_view kOurs[] = {"pools", "clients", "servers", "stats", "shards", "nodes", "jobs"};
    if (std::find(std::begin(kOurs), std::end(kOurs), std::string_view(from.name())) != std::end(kOurs)) {
        Statement statement = session_statement(Command::kShow, "SHOW");
        statement.plan = PlanKind::kAdmin;
        statement.returns_rows = true;
        for (char c : from.name()) statement.name.push_back(static_cast<char>(std::toupper(c)));
        return statement;
    }
    Statement statement = route_home(Command::kShow);
    statement.writes = false;
    statement.returns_rows = true;
    statement.tag = "SHOW";
    statement.name = from.name();
    // The bounds of idling are kept by pgmosaic: a server session waits when nobody is idle.
    const bool kept_here = from.name() == "idle_in_transaction_session_timeout" || from.name() == "idle_session_timeout";
    if (kept_here || from.name().substr(0, 7) == "mosaic.") statement.plan = PlanKind::kLocal;
    return statement;
}

Statement plan_prepare(const pg_query::PrepareStmt& from, StatementText text) {
    Statement statement = session_statement(Command::kPrepare, "PREPARE");
    statement.name = from.name();
    statement.argument = trimmed(text_behind_word(text.text, "as"));
    statement.type_names = bracket_items(text.text);
    return statement;
}

Statement plan_execute(const pg_query::ExecuteStmt& from, StatementText text) {
    Statement statement = session_statement(Command::kExecute, {});
    statement.name = from.name();
    statement.arguments = bracket_items(text.text);
    statement.returns_rows = true;
    statement.writes = true;
    return statement;
}

Statement plan_declare(const pg_query::DeclareCursorStmt& from, StatementText text, PlanContext& context) {
    // DECLARE name … FOR query: the first FOR outside of brackets begins the query.
    const std::string query = trimmed(text_behind_word(text.text, "for"));
    // SELECT … INTO would make a table: PostgreSQL says that it may not.
    const bool into = from.query().select_stmt().has_into_clause();
    Statement statement;
    if (into) statement = route_home(Command::kDeclare);
    else statement = plan_statement(from.query(), text, context);
    constexpr int kHold = 0x0020;  // CURSOR_OPT_HOLD, nodes/parsenodes.h
    statement.command = Command::kDeclare;
    statement.name = from.portalname();
    statement.argument = query;
    statement.force = (from.options() & kHold) != 0;
    statement.pins |= statement.force;
    statement.returns_rows = false;
    statement.tag = "DECLARE CURSOR";
    return statement;
}

Statement plan_fetch(const pg_query::FetchStmt& from, StatementText) {
    Statement statement = session_statement(Command::kFetch, from.ismove() ? "MOVE" : "FETCH");
    statement.name = from.portalname();
    statement.argument = from.ismove() ? "MOVE" : "FETCH";
    const bool forward = from.direction() == pg_query::FETCH_FORWARD;
    statement.arguments = {forward ? "forward" : "other", std::to_string(from.how_many())};
    statement.returns_rows = !from.ismove();
    return statement;
}

Statement plan_explain(const pg_query::ExplainStmt& from, StatementText text, PlanContext& context) {
    Statement statement;
    if (!has_spread_tables(context.catalog)) {
        statement = route_home(Command::kExplain);  // one server has all there is, prepared statements too
    } else if (from.query().has_execute_stmt()) {
        statement = plan_execute(from.query().execute_stmt(), text);
    } else {
        statement = plan_statement(from.query(), text, context);
    }
    mark_explained(statement, text.text, read_explain_options(from));
    return statement;
}

Statement plan_lock(const pg_query::LockStmt& from, PlanContext& context) {
    Statement statement = route_home(Command::kLock);
    statement.tag = "LOCK TABLE";
    for (const pg_query::Node& relation : from.relations()) {
        const Table* table = context.find_table(relation.range_var());
        const bool everywhere = table && !table->temporary && (table->placement != Placement::kLocal || table->kind == 'v');
        if (everywhere) statement.plan = PlanKind::kBroadcast;
    }
    if (statement.plan == PlanKind::kBroadcast) statement.reason = "a table of several shards is locked on all of them";
    return statement;
}

}  // namespace pgmosaic::planner

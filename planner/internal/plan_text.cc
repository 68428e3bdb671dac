#include "planner/internal/plan_text.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "planner/internal/statement.h"

namespace pgmosaic::planner {

namespace {

std::uint32_t highest_parameter(std::string_view text) {
    std::uint32_t highest = 0;
    Lexer lexer(text);
    for (Token token; lexer.next(token);) {
        if (token.kind != Token::Kind::kParameter) continue;
        std::uint32_t number = 0;
        const std::string_view digits = token.text(text).substr(1);
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
        highest = std::max(highest, number);
    }
    return highest;
}

// $n within the text of these belongs to them.
bool takes_parameters(Command command) {
    return command != Command::kPrepare && command != Command::kDdl && command != Command::kTransaction;
}

Statement refused(const Error& error) {
    Statement statement;
    statement.plan = PlanKind::kRefuse;
    statement.refusal = error;
    statement.reason = error.message;
    return statement;
}

// The statement's own words: RawStmt begins behind the previous one's semicolon, blanks and comments included.
StatementText statement_text(const pg_query::RawStmt& raw, std::string_view sql) {
    const auto offset = static_cast<std::size_t>(raw.stmt_location());
    const std::size_t length = raw.stmt_len() > 0 ? static_cast<std::size_t>(raw.stmt_len()) : sql.size() - offset;
    return {sql.substr(offset, length), offset};
}

Statement plan_one(const pg_query::RawStmt& raw, std::string_view sql, PlanContext& context) {
    const StatementText text = statement_text(raw, sql);
    Statement statement;
    try {
        statement = plan_statement(raw.stmt(), text, context);
    } catch (const PgError& error) {
        statement = refused(error.error());
    }
    if (takes_parameters(statement.command)) statement.parameters = highest_parameter(text.text);
    statement.offset = text.offset;
    statement.length = text.text.size();
    return statement;
}

// Literals whose place lets them vary: values in expressions. Not so: type modifiers (they shape the type), ordinals in
// GROUP BY and ORDER BY, options.
void free_literals(const google::protobuf::Message& message, const PlanContext& context, std::set<std::uint32_t>& free) {
    const auto place = [&](int location) {
        if (location < 0) return;
        const auto begin = static_cast<std::uint32_t>(location);
        const auto found = std::lower_bound(context.literals.begin(), context.literals.end(), begin,
                                            [](const Token& token, std::uint32_t wanted) { return token.begin < wanted; });
        if (found == context.literals.end()) return;
        const bool here = found->begin == begin || (context.sql[begin] == '-' && found->negative);
        if (here) free.insert(static_cast<std::uint32_t>(found - context.literals.begin()));
    };
    walk(message, [&](const google::protobuf::Message& each) {
        if (as<pg_query::TypeName>(each) || as<pg_query::DefElem>(each) || as<pg_query::RangeTableSample>(each)) return false;
        if (const auto* constant = as<pg_query::A_Const>(each)) place(constant->location());
        return true;
    });
}

void fix_ordinals(const google::protobuf::Message& message, const PlanContext& context, std::set<std::uint32_t>& free) {
    const auto fix = [&](const pg_query::Node& item) {
        if (!item.has_a_const()) return;
        std::set<std::uint32_t> ordinal;
        free_literals(item, context, ordinal);
        for (std::uint32_t literal : ordinal) free.erase(literal);
    };
    walk(message, [&](const google::protobuf::Message& each) {
        if (const auto* select = as<pg_query::SelectStmt>(each)) {
            for (const pg_query::Node& item : select->group_clause()) fix(item);
            for (const pg_query::Node& item : select->distinct_clause()) fix(item);
        }
        if (const auto* sort = as<pg_query::SortBy>(each)) fix(sort->node());
        return true;
    });
}

void fix_literals(const pg_query::ParseResult& tree, const PlanContext& context, PlanCache::Plan& plan) {
    std::set<std::uint32_t> free;
    const std::vector<Statement>& statements = plan.text->statements;
    if (statements.size() == 1 && !context.exact_literals && goes_as_written(statements[0])) {
        free_literals(tree, context, free);
        fix_ordinals(tree, context, free);
        for (std::uint32_t literal : context.consulted) free.erase(literal);
    }
    for (std::uint32_t i = 0; i < context.literals.size(); ++i) {
        if (free.count(i) == 0) plan.fixed.push_back({i, std::string(context.literals[i].text(context.sql))});
    }
    for (const PlanContext::KeySlot& slot : context.key_slots) {
        if (free.count(slot.literal) > 0) plan.keys.push_back(slot);
    }
}

void plan_statements(std::string_view sql, PlanContext& context, PlannedText& planned, PlanCache::Plan& plan) {
    ParsedTree tree;
    parse(sql, tree);
    if (!tree.result) {
        planned.syntax_error = tree.error;
        plan.text = std::make_shared<const PlannedText>(std::move(planned));
        return;
    }
    for (const pg_query::RawStmt& raw : tree.result->stmts()) planned.statements.push_back(plan_one(raw, sql, context));
    if (planned.statements.size() == 1) {
        planned.statements[0].offset = 0;
        planned.statements[0].length = std::string::npos;
    }
    plan.text = std::make_shared<const PlannedText>(std::move(planned));
    fix_literals(*tree.result, context, plan);
}

}  // namespace

bool goes_as_written(const Statement& statement) {
    if (!statement.argument.empty() || !statement.rewritten.empty() || statement.command == Command::kExplain) return false;
    switch (statement.plan) {
        case PlanKind::kRoute: return !statement.route.otherwise || goes_as_written(*statement.route.otherwise);
        case PlanKind::kScatter: return statement.scatter->shard_sql.empty();
        case PlanKind::kReferenceWrite: return !statement.reference->rows_from_leader;
        case PlanKind::kLocal:
        case PlanKind::kWorkbench:
        case PlanKind::kInsert:
        case PlanKind::kBroadcast:
        case PlanKind::kCopyIn:
        case PlanKind::kCopyOut:
        case PlanKind::kAdmin:
        case PlanKind::kRefuse: return false;
    }
    return false;
}

namespace {

PlanCache::Plan plan_standard_text(std::string_view sql, const Environment& environment, const std::vector<Token>& literals) {
    PlanCache::Plan plan;
    PlannedText planned;
    planned.catalog_version = environment.catalog->version();
    PlanContext context{.sql = sql, .environment = environment, .catalog = *environment.catalog, .literals = literals};
    try {
        with_stack_for(nesting_bound(sql), [&] { plan_statements(sql, context, planned, plan); });
    } catch (const PgError& error) {
        planned.statements.clear();
        planned.syntax_error = error.error();
        plan.text = std::make_shared<const PlannedText>(std::move(planned));
    }
    return plan;
}

/// The plan of the converted text, for the text as it was written: servers with the same setting read it as it is.
void place_in_written_text(const std::vector<std::size_t>& inserted, PlannedText& planned) {
    constexpr std::size_t kInsertedBytes = 2;
    const auto written = [&](std::size_t converted) {
        std::size_t before = 0;
        while (before < inserted.size() && inserted[before] + (before + 1) * kInsertedBytes <= converted) ++before;
        return converted - before * kInsertedBytes;
    };
    for (Statement& statement : planned.statements) {
        if (statement.length == std::string::npos) continue;
        const std::size_t end = written(statement.offset + statement.length);
        statement.offset = written(statement.offset);
        statement.length = end - statement.offset;
    }
}

}  // namespace

PlanCache::Plan plan_text(std::string_view sql, const Environment& environment, const std::vector<Token>& literals) {
    const bool reads_otherwise = !environment.standard_conforming_strings && sql.find('\\') != std::string_view::npos;
    if (!reads_otherwise) return plan_standard_text(sql, environment, literals);
    std::vector<std::size_t> inserted;
    const std::string converted = with_escape_strings(sql, inserted);
    PlanCache::Plan plan = plan_standard_text(converted, environment, {});
    PlannedText planned = *plan.text;
    place_in_written_text(inserted, planned);
    plan.text = std::make_shared<const PlannedText>(std::move(planned));
    // `literals` were cut the standard way: all of them belong to the plan's key, so that it serves this very text only.
    plan.fixed.clear();
    for (std::uint32_t i = 0; i < literals.size(); ++i) plan.fixed.push_back({i, std::string(literals[i].text(sql))});
    return plan;
}

}  // namespace pgmosaic::planner

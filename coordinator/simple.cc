#include "coordinator/internal/syntax_error.h"
#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// A query string: one statement, or several that are one transaction unless they say otherwise.
Task<> Session::simple_query(std::string_view sql) {
    if (pipeline_ != nullptr) co_await on_sync_pipeline(false);
    skip_until_sync_ = false;
    unnamed_.reset();
    if (!environment_is_current()) co_await refresh_environment();
    core_.planner(database_name_).plan(sql, environment_, planned_);
    // The plan is shared and the literals are this session's: both outlive what runs below.
    const std::shared_ptr<const planner::PlannedText> text = planned_.text;
    if (text->syntax_error) {
        co_await throw_syntax_error(*this, sql, *text->syntax_error);
    }
    if (text->statements.empty()) {
        wire::write_empty(client_.out(), 'I');
        ready();
        co_return;
    }
    if (text->statements.size() == 1) {
        const planner::Statement& statement = text->statements.front();
        co_await run_statement(Request{statement, sql.substr(statement.offset, statement.length), planned_.literals, nullptr, nullptr, true});
        if (transaction_.mode() == Transaction::Mode::kImplicit) co_await commit();
        if (!ready_sent_) ready();
        ready_sent_ = false;
        co_return;
    }
    co_await run_statements(*text, sql);
    ready();
}

/// Several statements: the string's own transaction begins before the first that is not transaction control.
Task<> Session::run_statements(const planner::PlannedText& text, std::string_view sql) {
    const std::vector<planner::Literal> literals = planned_.literals;
    // Statements may wait for the client (COPY), which moves its buffer.
    const std::string copy(sql);
    std::shared_ptr<const planner::PlannedText> replanned;
    for (std::size_t i = 0; i < text.statements.size(); ++i) {
        const planner::Statement* statement = &text.statements[i];
        const std::string_view own = std::string_view(copy).substr(statement->offset, statement->length);
        planner::Planned again;
        const std::vector<planner::Literal>* values = &literals;
        if (environment_changed_since(text.catalog_version)) {
            // An earlier statement of the string changed the schema (or a setting): plan the rest by what is true now.
            co_await refresh_environment();
            core_.planner(database_name_).plan(own, environment_, again);
            replanned = again.text;
            if (replanned->syntax_error) throw PgError(*replanned->syntax_error);
            if (replanned->statements.empty()) continue;
            statement = &replanned->statements.front();
            values = &again.literals;
        }
        if (!transaction_.open() && statement->verb == planner::TransactionVerb::kNone) {
            transaction_.begin(Transaction::Mode::kImplicit, "BEGIN", settings_);
        }
        co_await run_statement(Request{*statement, own, *values});
        if (client_.out().size() > ClientStream::kFlushBytes) co_await client_.flush();
    }
    if (transaction_.mode() == Transaction::Mode::kImplicit) co_await commit();
}

}  // namespace pgmosaic::coordinator

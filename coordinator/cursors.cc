#include "coordinator/execute.h"
#include "coordinator/session.h"
#include "planner/plan_details.h"

/// Cursors of SQL: one over a single shard's rows lives on that shard; one over merged rows is kept here, forward only.
namespace pgmosaic::coordinator {

Task<> Session::declare_cursor(const Request& request) {
    const planner::Statement& statement = request.statement;
    if (statement.force) {
        throw PgError(refusal("a cursor WITH HOLD over several shards is not available in this version", statement.reason,
                              "Declare it WITHOUT HOLD inside a transaction."));
    }
    if (transaction_.mode() != Transaction::Mode::kExplicit) {
        throw PgError(Error{.code = sqlstate::kNoActiveSqlTransaction,
                            .message = "DECLARE CURSOR can only be used in transaction blocks"});
    }
    if (cursors_.contains(statement.name)) {
        throw PgError(Error{.code = sqlstate::kDuplicateCursor, .message = "cursor \"" + statement.name + "\" already exists"});
    }
    const std::string sql = statement.argument;
    planner::Planned planned;
    core_.planner(database_name_).plan(sql, environment_, planned);
    if (planned.text->syntax_error) throw PgError(*planned.text->syntax_error);
    if (!planner::details_of(planned.text->statements.front()).written.empty()) {
        throw PgError(Error{.code = sqlstate::kFeatureNotSupported, .message = "DECLARE CURSOR must not contain data-modifying statements in WITH"});
    }
    std::string rows;
    answer_ = &rows;
    answer_kept_ = true;
    co_await run_statement(Request{planned.text->statements.front(), sql, planned.literals});
    answer_ = nullptr;
    answer_kept_ = false;
    cursors_[statement.name] = {.rows = std::move(rows)};
    wire::write_command_complete(client_.out(), "DECLARE CURSOR");
}

Task<> Session::run_cursor(const Request& request) {
    const planner::Statement& statement = request.statement;
    if (statement.command == planner::Command::kClose && statement.name.empty()) {
        cursors_.clear();
        if (transaction_.open()) {
            co_await on_all_participants("CLOSE ALL");
        } else {
            // Cursors WITH HOLD outlive their transactions on the sessions that are kept for them.
            for (auto& [shard, lease] : pinned_) {
                const auto result = co_await backend::run_query(*lease, "CLOSE ALL", Deadline::after(10s));
                if (!result) throw PgError(result.error());
            }
        }
        wire::write_command_complete(answer(), "CLOSE CURSOR ALL");
        co_return;
    }
    const auto found = cursors_.find(statement.name);
    if (found == cursors_.end() || found->second.shard) {
        // PostgreSQL says what is wrong with a name that nobody knows.
        const ShardId shard = found == cursors_.end() ? home() : *found->second.shard;
        if (statement.command == planner::Command::kClose && found != cursors_.end()) cursors_.erase(found);
        co_await run_route(request, shard);
        co_return;
    }
    if (statement.command == planner::Command::kClose) {
        cursors_.erase(found);
        wire::write_command_complete(answer(), "CLOSE CURSOR");
        co_return;
    }
    fetch_kept(found->second, statement, request.simple());
}

/// FETCH and MOVE forward over rows that are kept.
void Session::fetch_kept(Cursor& cursor, const planner::Statement& statement, bool simple) {
    const bool moves = statement.argument == "MOVE";
    if (statement.arguments.at(0) != "forward" || statement.arguments.at(1).starts_with("-") || statement.arguments.at(1) == "0") {
        throw PgError(refusal("cursor can only scan forward", "Its rows come from several shards.", "Use FETCH FORWARD."));
    }
    const std::string_view all = cursor.rows;
    std::int64_t left = std::stoll(statement.arguments.at(1));
    std::uint64_t count = 0;
    std::size_t offset = 0;
    while (const auto frame = wire::next_frame(all.substr(offset))) {
        if (frame->type == 'T') {
            if (simple && !moves) client_.out() += frame->whole;
        } else if (frame->type == 'D' && offset >= cursor.offset) {
            if (left-- <= 0) break;
            if (!moves) client_.out() += frame->whole;
            ++count;
            cursor.offset = offset + frame->whole.size();
        }
        offset += frame->whole.size();
        // Rows that were fetched before are passed over in one step.
        if (offset < cursor.offset && frame->type == 'T') offset = std::max(offset, cursor.offset);
    }
    wire::write_command_complete(client_.out(), (moves ? "MOVE " : "FETCH ") + std::to_string(count));
}

}  // namespace pgmosaic::coordinator

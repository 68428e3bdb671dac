#include <algorithm>

#include "coordinator/execute.h"
#include "coordinator/session.h"
#include "planner/plan_details.h"

/// Cursors of SQL: one over a single shard's rows lives on that shard; one over merged rows is kept here, forward only. Its rows are
/// all there from its declaration on, so WITH HOLD is only a matter of when it is forgotten.
namespace pgmosaic::coordinator {

Task<> Session::declare_cursor(const Request& request) {
    const planner::Statement& statement = request.statement;
    const bool holds = statement.force;
    if (!holds && transaction_.mode() != Transaction::Mode::kExplicit) {
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
    cursors_[statement.name] = {.rows = std::move(rows), .holds = holds, .of_transaction = transaction_.open(), .savepoints = transaction_.savepoints().size()};
    wire::write_command_complete(client_.out(), "DECLARE CURSOR");
}

void Session::note_server_cursor(const planner::Statement& statement, ShardId shard) {
    cursors_[statement.name] = {.shard = shard, .holds = statement.force, .of_transaction = transaction_.open(),
                                .savepoints = transaction_.savepoints().size()};
}

void Session::forget_cursors_behind(std::size_t savepoints) {
    std::erase_if(cursors_, [savepoints](const auto& entry) { return entry.second.of_transaction && entry.second.savepoints > savepoints; });
}

void Session::forget_cursors(bool committed) {
    for (auto cursor = cursors_.begin(); cursor != cursors_.end();) {
        Cursor& each = cursor->second;
        const bool stays = each.holds && (committed || !each.of_transaction);
        each.of_transaction = false;
        if (stays) ++cursor;
        else cursor = cursors_.erase(cursor);
    }
}

/// The columns of a cursor that SQL has declared. Errors: 34000.
Task<std::shared_ptr<const Description>> Session::describe_cursor(std::string name) {
    const auto found = cursors_.find(name);
    if (found == cursors_.end()) {
        throw PgError(Error{.code = sqlstate::kInvalidCursorName, .message = "portal \"" + name + "\" does not exist"});
    }
    auto description = std::make_shared<Description>();
    description->returns_rows = true;
    if (!found->second.shard) {
        const auto first = wire::next_frame(found->second.rows);
        if (first && first->type == 'T') description->fields = wire::read_row_description(first->body);
        co_return description;
    }
    if (pipeline_ != nullptr) co_await leave_pipeline();
    Participant* participant = co_await use_shard(*found->second.shard, false);
    co_await settle_prelude(*participant);
    backend::Connection& connection = participant->connection();
    wire::write_describe(connection.out(), 'P', name);
    wire::write_sync(connection.out());
    co_await connection.write();
    std::optional<Error> failure;
    for (bool ready = false; !ready;) {
        const wire::Frame frame = co_await connection.next();
        if (frame.type == 'T') description->fields = wire::read_row_description(frame.body);
        if (frame.type == 'E') failure = wire::read_error(frame.body);
        ready = frame.type == 'Z';
        connection.consume(frame);
    }
    if (!transaction_.open()) release_statement_leases();
    if (failure) throw PgError(*failure);
    co_return description;
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
    const bool binary = request.bind != nullptr && std::any_of(request.bind->result_formats.begin(), request.bind->result_formats.end(),
                                                               [](wire::Format format) { return format == wire::Format::kBinary; });
    if (binary) {
        throw PgError(refusal("rows of a cursor over several shards are available as text only", "They were kept when it was declared.",
                              "Ask for text, or bind the query itself."));
    }
    fetch_kept(found->second, statement, request.simple());
}

/// FETCH and MOVE forward over rows that are kept.
void Session::fetch_kept(Cursor& cursor, const planner::Statement& statement, bool simple) {
    const bool moves = statement.argument == "MOVE";
    const std::string& wanted = statement.arguments.at(1);
    // FORWARD 0 asks for the current row once more; before the first there is none.
    const bool goes_back = wanted.starts_with("-") || (wanted == "0" && cursor.offset > 0);
    if (statement.arguments.at(0) != "forward" || goes_back) {
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

#include <charconv>

#include "coordinator/execute.h"
#include "coordinator/internal/check_bind.h"
#include "coordinator/internal/syntax_error.h"
#include "coordinator/session.h"
#include "planner/plan_details.h"

/// The extended query protocol, message by message; what a shard answers itself goes by extended_pipeline.cc.
namespace pgmosaic::coordinator {

using planner::PlanKind;

namespace {

bool parameters_are_keys(const planner::Statement& statement) {
    for (const planner::KeyAlternatives& key : statement.route.keys) {
        for (const planner::ValueRef& value : key) {
            if (value.from == planner::ValueRef::From::kParameter) return true;
        }
    }
    return false;
}

Error no_statement(std::string_view name) {
    return Error{.code = sqlstate::kInvalidSqlStatementName,
                 .message = name.empty() ? "unnamed prepared statement does not exist"
                                         : "prepared statement \"" + std::string(name) + "\" does not exist"};
}

/// One row that the session itself makes.
bool gives_own_row(const planner::Statement& statement) {
    using planner::Command;
    if (statement.plan != PlanKind::kLocal || !statement.returns_rows) return false;
    const Command command = statement.command;
    return command == Command::kShow || command == Command::kExportSnapshot || command == Command::kListening;
}

/// The tag of the CommandComplete that ends an answer.
std::string last_tag(std::string_view frames) {
    std::string tag;
    while (const auto frame = wire::next_frame(frames)) {
        if (frame->type == 'C') tag = wire::Reader(frame->body).cstring();
        frames.remove_prefix(frame->whole.size());
    }
    return tag;
}

Error bad_subtype(const std::string& message, char subtype) {
    return Error{.code = sqlstate::kProtocolViolation,
                 .message = "invalid " + message + " message subtype " + std::to_string(static_cast<unsigned char>(subtype))};
}

}  // namespace

PreparedPointer Session::find_prepared(std::string_view name) const {
    if (name.empty()) {
        if (!unnamed_) throw PgError(no_statement(name));
        return unnamed_;
    }
    const auto found = prepared_.find(std::string(name));
    if (found == prepared_.end()) throw PgError(no_statement(name));
    return found->second;
}

/// Takes its turn behind what the server still owes.
void Session::local_answer(std::string bytes) {
    if (relay_.idle()) {
        client_.out() += bytes;
        return;
    }
    if (pipeline_replayable_) pipeline_steps_.push_back({PipelineStep::Kind::kLocal, bytes});
    relay_.answer_in_turn(std::move(bytes));
}

Task<> Session::on_parse(std::string_view body) {
    const wire::Parse parse = wire::read_parse(body);
    if (!parse.name.empty() && prepared_.contains(std::string(parse.name))) {
        throw PgError(Error{.code = sqlstate::kDuplicatePreparedStatement,
                            .message = "prepared statement \"" + std::string(parse.name) + "\" already exists"});
    }
    auto statement = std::make_shared<PreparedStatement>();
    statement->sql = parse.sql;
    statement->types = wire::read_types(parse.types);
    statement->named = !parse.name.empty();
    std::string key = statement->sql;
    key += '\0';
    key += parse.types;
    statement->id = core_.statement_id(key);
    co_await replan(*statement);
    const planner::PlannedText& text = *statement->planned.text;
    if (text.syntax_error) {
        if (pipeline_ != nullptr) throw PgError(*text.syntax_error);
        co_await throw_syntax_error(*this, statement->sql, *text.syntax_error);
    }
    if (text.statements.size() > 1) {
        throw PgError(Error{.code = sqlstate::kSyntaxError,
                            .message = "cannot insert multiple commands into a prepared statement"});
    }
    if (!text.statements.empty()) {
        const planner::Statement& planned = text.statements.front();
        const bool ends = planned.verb == planner::TransactionVerb::kCommit || planned.verb == planner::TransactionVerb::kRollback ||
                          planned.verb == planner::TransactionVerb::kRollbackTo;
        if (!ends) check_not_failed();
        // PostgreSQL judges names and types at Parse, so we ask it, once per text, unless the message goes to it anyway.
        if (planned.plan == PlanKind::kRefuse && !planned.lifts_reads) throw PgError(*planned.refusal);
        if (wants_description(planned) && !(planned.plan == PlanKind::kRoute && !statement->named && !parameters_are_keys(planned))) {
            co_await drain();
            statement->description = co_await describe(statement->sql, statement->types);
        }
    }
    if (parse.name.empty()) unnamed_ = statement;
    else prepared_[std::string(parse.name)] = statement;
    std::string complete;
    wire::write_empty(complete, '1');
    local_answer(std::move(complete));
}

bool Session::wants_description(const planner::Statement& statement) const {
    if (transaction_.failed()) return false;
    switch (statement.plan) {
        case PlanKind::kLocal:
        case PlanKind::kBroadcast:
        case PlanKind::kCopyIn:
        case PlanKind::kCopyOut:
        case PlanKind::kAdmin: return false;
        case PlanKind::kRefuse: return statement.lifts_reads;
        default: return statement.admin_views.empty();
    }
}

/// The plan of the statement still holds, and what Bind needs to know of its parameters is known.
bool Session::ready_to_bind(const PreparedStatement& prepared) const {
    if (!environment_is_current() || !prepared.planned.text || prepared.environment != environment_.fingerprint) return false;
    const auto& statements = prepared.planned.text->statements;
    return statements.empty() || !needs_description(prepared, statements.front());
}

/// The types of parameters decide how keys are hashed, and named statements are checked against them.
bool Session::needs_description(const PreparedStatement& prepared, const planner::Statement& statement) const {
    return prepared.description == nullptr && wants_description(statement) && (prepared.named || parameters_are_keys(statement));
}

/// Plans the text again if the schema or the session's search path has changed since.
Task<> Session::replan(PreparedStatement& statement) {
    if (environment_catalog_ == 0 || identity_stale_ || environment_catalog_ != database_->version()) {
        if (pipeline_ != nullptr && !environment_is_current()) co_await leave_pipeline();
        co_await refresh_environment();
    }
    if (statement.environment == environment_.fingerprint && statement.planned.text) co_return;
    core_.planner(database_name_).plan(statement.sql, environment_, statement.planned);
    statement.environment = environment_.fingerprint;
    statement.description.reset();
}

Portal Session::read_portal(std::string_view body) const {
    Portal portal;
    portal.bind_body.assign(body.begin(), body.end());
    wire::read_bind({portal.bind_body.data(), portal.bind_body.size()}, portal.bind);
    portal.statement = find_prepared(portal.bind.statement);
    const std::string name(portal.bind.portal);
    if (!name.empty() && portals_.contains(name)) {
        throw PgError(Error{.code = sqlstate::kDuplicateCursor, .message = "cursor \"" + name + "\" already exists"});
    }
    return portal;
}

Task<> Session::on_bind(std::string_view body) {
    Portal portal = read_portal(body);
    const std::string name(portal.bind.portal);
    PreparedStatement& prepared = *portal.statement;
    if (!ready_to_bind(prepared)) co_await prepare_to_bind(prepared);
    portal.shard = shard_of_bind(portal);
    if (portal.shard) {
        const planner::Statement& statement = prepared.planned.text->statements.front();
        const Using use(*this, use_of(statement));
        Participant* participant = try_pipeline_to(*portal.shard, statement.writes);
        if (participant == nullptr) participant = co_await pipeline_to(*portal.shard, statement.writes);
        bind_on(*participant, name, portal);
    } else {
        // A key that could not be read here may be one that PostgreSQL cannot read: it says so at Bind.
        const auto& statements = prepared.planned.text->statements;
        const bool unread = !statements.empty() && statements.front().plan == PlanKind::kRoute && parameters_are_keys(statements.front());
        if (unread && pipeline_ == nullptr && !transaction_.failed()) co_await check_bind(*this, portal);
        std::string complete;
        wire::write_empty(complete, '2');
        local_answer(std::move(complete));
    }
    portals_[name] = std::move(portal);
}

Task<> Session::prepare_to_bind(PreparedStatement& prepared) {
    co_await replan(prepared);
    if (prepared.planned.text->statements.empty()) co_return;
    const planner::Statement& statement = prepared.planned.text->statements.front();
    check_statement_in_pipeline(statement);
    if (!needs_description(prepared, statement)) co_return;
    co_await drain();
    prepared.description = co_await describe(prepared.sql, prepared.types);
}

/// The one shard that runs the portal; nullopt: several do, or it is ours.
std::optional<ShardId> Session::shard_of_bind(const Portal& portal) {
    const PreparedStatement& prepared = *portal.statement;
    if (prepared.planned.text->statements.empty()) return std::nullopt;
    const planner::Statement& statement = prepared.planned.text->statements.front();
    check_statement_in_pipeline(statement);
    check_parameter_count(prepared, portal.bind);
    std::optional<ShardId> shard;
    const Request request{statement, prepared.sql, prepared.planned.literals, &portal.bind, &prepared};
    if (statement.plan == PlanKind::kRoute && statement.admin_views.empty() && !statement.pins && !statement.unlocks && !planner::explains_route(statement)) {
        effective(statement, request, shard);
    }
    return shard;
}

void Session::check_parameter_count(const PreparedStatement& prepared, const wire::Bind& bind) const {
    if (!prepared.description || prepared.description->parameters.size() == bind.values.size()) return;
    throw PgError(Error{.code = sqlstate::kProtocolViolation,
                        .message = "bind message supplies " + std::to_string(bind.values.size()) +
                                   " parameters, but prepared statement \"" + std::string(bind.statement) + "\" requires " +
                                   std::to_string(prepared.description->parameters.size())});
}

/// COMMIT and ROLLBACK pass in a failed transaction, refusals come at execution, all else is judged now.
void Session::check_statement_in_pipeline(const planner::Statement& statement) const {
    if (statement.plan != PlanKind::kRefuse) check_statement(statement);
}

Task<> Session::on_describe(std::string_view body) {
    wire::Reader reader(body);
    const char what = static_cast<char>(reader.byte());
    const std::string name(reader.cstring());
    reader.expect_end();
    if (what != 'P' && what != 'S') throw PgError(bad_subtype("DESCRIBE", what));
    if (what == 'P') {
        if (!portals_.contains(name) && cursors_.contains(name)) {
            co_await drain();
            if (skip_until_sync_) co_return;
            const std::shared_ptr<const Description> columns = co_await describe_cursor(name);
            std::string out;
            describe_fields(out, *columns, nullptr);
            local_answer(std::move(out));
            co_return;
        }
        if (!describe_on_server(name)) co_await describe_portal(name);
        co_return;
    }
    const PreparedPointer statement = find_prepared(name);
    co_await replan(*statement);
    if (!statement->description) {
        co_await drain();
        if (skip_until_sync_) co_return;
        statement->description = co_await describe_any(*statement);
    }
    std::string out;
    {
        wire::FrameWriter frame(out, 't');
        frame.int16(static_cast<std::int32_t>(statement->description->parameters.size()));
        for (Oid type : statement->description->parameters) frame.int32(type);
    }
    describe_fields(out, *statement->description, nullptr);
    local_answer(std::move(out));
}

Task<> Session::describe_portal(const std::string& name) {
    Portal& portal = portals_.at(name);
    PreparedStatement& statement = *portal.statement;
    if (!statement.description) {
        co_await drain();
        if (skip_until_sync_) co_return;
        statement.description = co_await describe_any(statement);
    }
    std::string out;
    describe_fields(out, *statement.description, &portal.bind);
    local_answer(std::move(out));
}

/// PostgreSQL's own description, or ours for what PostgreSQL does not know.
Task<std::shared_ptr<const Description>> Session::describe_any(const PreparedStatement& prepared) {
    const auto& statements = prepared.planned.text->statements;
    if (!statements.empty()) {
        const planner::Statement& statement = statements.front();
        if (statement.plan == PlanKind::kAdmin) co_return admin_description(statement);
        if (gives_own_row(statement)) co_return shown_description(statement);
        if (!statement.admin_views.empty()) {
            const Request request{statement, prepared.sql, prepared.planned.literals};
            co_return co_await describe(co_await admin_view_sql(*this, request), prepared.types);
        }
        const auto executed = prepared_.find(statement.name);
        if (statement.command == planner::Command::kExecute && executed != prepared_.end()) {
            const std::shared_ptr<const PreparedStatement> statement_of_sql = executed->second;
            const auto description = co_await describe(statement_of_sql->sql, statement_of_sql->types);
            auto rows = std::make_shared<Description>(*description);
            rows->parameters.clear();  // the arguments stand in the text
            co_return rows;
        }
        const bool fetches = statement.plan == PlanKind::kLocal && statement.command == planner::Command::kFetch && statement.argument != "MOVE";
        if (fetches && cursors_.contains(statement.name)) co_return co_await describe_cursor(statement.name);
        if (!wants_description(statement) || statement.plan == PlanKind::kLocal) co_return std::make_shared<Description>();
    } else {
        co_return std::make_shared<Description>();
    }
    co_return co_await describe(prepared.sql, prepared.types);
}

void Session::describe_fields(std::string& out, const Description& description, const wire::Bind* bind) const {
    if (!description.returns_rows) {
        wire::write_empty(out, 'n');
        return;
    }
    std::vector<wire::Field> fields = description.fields;
    for (std::size_t i = 0; bind != nullptr && i < fields.size(); ++i) fields[i].format = bind->result_format(i);
    wire::write_row_description(out, fields);
}

Task<> Session::on_execute(std::string_view body) {
    wire::Reader reader(body);
    const std::string name(reader.cstring());
    const std::int32_t rows_max = reader.int32();
    reader.expect_end();
    const auto found = portals_.find(name);
    if (found == portals_.end()) {
        throw PgError(Error{.code = sqlstate::kInvalidCursorName, .message = "portal \"" + name + "\" does not exist"});
    }
    Portal& portal = found->second;
    if (portal.shard) {
        Participant* participant = try_pipeline_to(*portal.shard, false);
        if (participant == nullptr) participant = co_await pipeline_to(*portal.shard, false);
        execute_on(*participant, name, rows_max);
        const auto& statement = portal.statement->planned.text->statements.front();
        if (statement.changes_catalog) {
            co_await drain();
            if (!skip_until_sync_) schema_changed();
        }
        if (participant->connection().out().size() > kPipelineBytesMax) co_await drain();
        co_return;
    }
    co_await execute_own(portal, rows_max);
}

/// What no single server session runs: several shards, ours, or the session's own state.
Task<> Session::execute_own(Portal& portal, std::int32_t rows_max) {
    if (pipeline_ != nullptr) co_await leave_pipeline();
    else co_await drain();
    if (skip_until_sync_) co_return;
    const auto& statements = portal.statement->planned.text->statements;
    if (statements.empty()) {
        wire::write_empty(client_.out(), 'I');
        co_return;
    }
    if (!portal.started) {
        portal.started = true;
        const planner::Statement& statement = statements.front();
        if (!portal.statement->description && wants_description(statement)) {
            portal.statement->description = co_await describe(portal.statement->sql, portal.statement->types);
        }
        // With a row limit the answer is kept and handed out piece by piece.
        answer_ = rows_max > 0 && statement.returns_rows ? &portal.rows : nullptr;
        answer_kept_ = answer_ != nullptr;
        const Request request{statement, portal.statement->sql, portal.statement->planned.literals, &portal.bind,
                              portal.statement.get()};
        co_await run_statement(request);
        const bool kept = answer_kept_;
        answer_ = nullptr;
        answer_kept_ = false;
        if (!kept) {
            portal.done = true;
            co_return;
        }
    }
    if (portal.done) {
        wire::write_command_complete(client_.out(), "SELECT 0");
        co_return;
    }
    hand_out(portal, rows_max);
}

void Session::hand_out(Portal& portal, std::int32_t rows_max) {
    std::int32_t count = 0;
    while (portal.rows_offset < portal.rows.size()) {
        const auto frame = wire::next_frame(std::string_view(portal.rows).substr(portal.rows_offset));
        if (frame->type != 'D') break;
        if (rows_max > 0 && count == rows_max) {
            wire::write_empty(client_.out(), 's');
            return;
        }
        client_.out() += frame->whole;
        portal.rows_offset += frame->whole.size();
        ++count;
    }
    const std::string tag = last_tag(std::string_view(portal.rows).substr(portal.rows_offset));
    wire::write_command_complete(client_.out(), tag.substr(0, tag.rfind(' ')) + " " + std::to_string(count));
    portal.done = true;
}

Task<> Session::on_close(std::string_view body) {
    wire::Reader reader(body);
    const char what = static_cast<char>(reader.byte());
    const std::string name(reader.cstring());
    reader.expect_end();
    if (what != 'P' && what != 'S') throw PgError(bad_subtype("CLOSE", what));
    if (what == 'S') {
        if (name.empty()) unnamed_.reset();
        else prepared_.erase(name);
    } else {
        const auto found = portals_.find(name);
        if (found != portals_.end() && found->second.shard && pipeline_ != nullptr && pipeline_shard_ == found->second.shard) {
            wire::write_close(pipeline_->connection().out(), 'P', name);
            relay_.expect({.kind = Expect::Kind::kClose});
            pipeline_replayable_ = false;
            portals_.erase(found);
            co_return;
        }
        if (found != portals_.end()) portals_.erase(found);
    }
    std::string complete;
    wire::write_empty(complete, '3');
    local_answer(std::move(complete));
}

}  // namespace pgmosaic::coordinator

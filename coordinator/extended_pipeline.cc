#include "coordinator/session.h"

/// Messages whose target is one shard are put into that server session's output as they come and are sent together at Flush or
/// Sync; everything else first lets those finish ("drain").
namespace pgmosaic::coordinator {

/// The messages that bind a portal on the server session which it will live on.
void Session::bind_on(Participant& participant, const std::string& name, const Portal& portal) {
    const planner::Statement& statement = portal.statement->planned.text->statements.front();
    note_state(statement, participant.connection());
    participant.notifies = participant.notifies || announces(statement);
    relay_.error_context = shard_context(statement, *portal.shard);
    put_parse(participant, *portal.statement);
    put_bind(participant, name, portal);
    note_bind(statement, name);
}

/// The hot path of a pipeline: a Bind, Describe or Execute that needs nothing but to be put before one server session.
/// False: nothing has happened, and handle() is to be awaited. Errors: throws what handle() would.
bool Session::handle_now(const wire::Frame& frame) {
    const bool hot = frame.type == 'B' || ((frame.type == 'E' || frame.type == 'D') && pipeline_ != nullptr);
    if (!hot || skip_until_sync_ || cancel_sent_ || !try_enter_gate(*this)) return false;
    if (pipeline_ == nullptr) forget_last_message();
    if (frame.type == 'B') return bind_now(frame.body);
    if (frame.type == 'E') return execute_now(frame.body);
    return frame.body.starts_with('P') && describe_now(frame.body);
}

bool Session::bind_now(std::string_view body) {
    Portal portal = read_portal(body);
    const PreparedStatement& prepared = *portal.statement;
    if (!ready_to_bind(prepared)) return false;
    portal.shard = shard_of_bind(portal);
    if (!portal.shard) return false;
    const planner::Statement& statement = prepared.planned.text->statements.front();
    const Using use(*this, use_of(statement));
    Participant* participant = try_pipeline_to(*portal.shard, statement.writes);
    if (participant == nullptr) return false;
    const std::string name(portal.bind.portal);
    bind_on(*participant, name, portal);
    portals_[name] = std::move(portal);
    return true;
}

bool Session::describe_now(std::string_view body) {
    wire::Reader reader(body);
    reader.byte();
    const std::string name(reader.cstring());
    return reader.empty() && portals_.contains(name) && describe_on_server(name);
}

bool Session::execute_now(std::string_view body) {
    wire::Reader reader(body);
    const std::string name(reader.cstring());
    const std::int32_t rows_max = reader.int32();
    const auto found = portals_.find(name);
    if (!reader.empty() || found == portals_.end() || found->second.shard != pipeline_shard_) return false;
    const planner::Statement& statement = found->second.statement->planned.text->statements.front();
    if (statement.changes_catalog || pipeline_->connection().out().size() > kPipelineBytesMax) return false;
    execute_on(*pipeline_, name, rows_max);
    return true;
}

void Session::execute_on(Participant& participant, const std::string& name, std::int32_t rows_max) {
    wire::write_execute(participant.connection().out(), name, rows_max);
    relay_.expect({.kind = Expect::Kind::kExecute});
    pipeline_executed_ = true;
    if (pipeline_replayable_) pipeline_steps_.push_back({PipelineStep::Kind::kExecute, name, rows_max});
}

/// The server session that the messages of this pipeline go to. Another one than before: what has run becomes the first part
/// of one transaction over both.
Task<Participant*> Session::pipeline_to(ShardId shard, bool writes) {
    if (pipeline_ != nullptr && pipeline_shard_ != shard) co_await leave_pipeline();
    if (skip_until_sync_) throw StatementFailed{};
    Participant* participant = try_pipeline_to(shard, writes);
    if (participant != nullptr) co_return participant;
    participant = co_await use_shard(shard, writes);
    begin_pipeline(*participant, shard);
    co_return participant;
}

/// The same where nothing has to be waited for; else null, and nothing has happened.
Participant* Session::try_pipeline_to(ShardId shard, bool writes) {
    if (pipeline_ != nullptr) {
        if (pipeline_shard_ != shard) return nullptr;
        pipeline_->wrote = pipeline_->wrote || writes;
        return pipeline_;
    }
    Participant* participant = skip_until_sync_ ? nullptr : try_use_shard(shard, writes);
    if (participant != nullptr) begin_pipeline(*participant, shard);
    return participant;
}

void Session::begin_pipeline(Participant& participant, ShardId shard) {
    pipeline_ = &participant;
    pipeline_shard_ = shard;
    // Simple queries in between end the server's unnamed statement: it is parsed again in each pipeline.
    participant.connection().unnamed_statement = 0;
    pipeline_steps_.clear();
    pipeline_begin_ = client_.position();
    pipeline_replayable_ = participant.pinned == nullptr;
    pipeline_tokens_ = true;
    relay_.reset();
    relay_shard_ = shard;
    for (; participant.ready_to_skip > 0; --participant.ready_to_skip) relay_.expect({.forward = false});
}

/// Statements that ran outside of a block get one around them after the fact: BEGIN within a pipeline takes what came
/// before it into its transaction, portals that are only bound included.
Task<> Session::leave_pipeline() {
    if (!transaction_.open()) {
        backend::Connection& connection = pipeline_->connection();
        wire::write_parse(connection.out(), "", "BEGIN", {});
        wire::FrameWriter(connection.out(), 'B').cstring("").cstring("").int16(0).int16(0).int16(0);
        wire::write_execute(connection.out(), "", 0);
        connection.unnamed_statement = 0;
        relay_.expect({.kind = Expect::Kind::kParse, .forward = false});
        relay_.expect({.kind = Expect::Kind::kBind, .forward = false});
        relay_.expect({.kind = Expect::Kind::kExecute, .forward = false});
        co_await drain();
        if (skip_until_sync_) throw StatementFailed{};
        // A Sync ends the pipeline on this server only: the block stays open.
        wire::write_sync(connection.out());
        relay_.expect({.kind = Expect::Kind::kSync, .forward = false});
        co_await relay_.drain(connection, client_);
        transaction_.begin(Transaction::Mode::kImplicit, "BEGIN", settings_);
        Participant& moved = transaction_.add(*pipeline_shard_, std::move(pipeline_->lease));
        moved.pinned = pipeline_->pinned;
        moved.began = true;
        moved.wrote = pipeline_->wrote;
        moved.settings_before = settings_;
        statement_leases_.erase(*pipeline_shard_);
    } else {
        co_await drain();
        if (skip_until_sync_) throw StatementFailed{};
        if (pipeline_ != nullptr && transaction_.open()) {
            wire::write_sync(pipeline_->connection().out());
            relay_.expect({.kind = Expect::Kind::kSync, .forward = false});
            co_await relay_.drain(pipeline_->connection(), client_);
        }
    }
    pipeline_ = nullptr;
    pipeline_executed_ = false;
}

void Session::put_parse(Participant& participant, const PreparedStatement& prepared) {
    backend::Connection& connection = participant.connection();
    const planner::Statement& statement = prepared.planned.text->statements.front();
    const std::string_view sql = statement.rewritten.empty() ? std::string_view(prepared.sql) : std::string_view(statement.rewritten);
    if (prepared.named) {
        if (connection.prepared.contains(prepared.id)) return;
        // A bound on what a server session remembers for us; forgotten ones are prepared again when needed.
        if (connection.prepared.size() >= kServerStatementsMax) forget_server_statements(connection);
        std::string name = "pgm" + std::to_string(prepared.id);
        wire::write_parse(connection.out(), name, sql, prepared.types);
        connection.prepared.emplace(prepared.id, std::move(name));
    } else {
        if (connection.unnamed_statement == prepared.id) return;
        wire::write_parse(connection.out(), "", sql, prepared.types);
        connection.unnamed_statement = prepared.id;
    }
    relay_.expect({.kind = Expect::Kind::kParse, .forward = false});
}

void Session::forget_server_statements(backend::Connection& connection) {
    for (const auto& [id, name] : connection.prepared) {
        wire::write_close(connection.out(), 'S', name);
        relay_.expect({.kind = Expect::Kind::kClose, .forward = false});
    }
    connection.prepared.clear();
}

void Session::put_bind(Participant& participant, const std::string& name, const Portal& portal) {
    backend::Connection& connection = participant.connection();
    const std::string_view statement =
        portal.statement->named ? std::string_view(connection.prepared.at(portal.statement->id)) : std::string_view{};
    wire::FrameWriter(connection.out(), 'B').cstring(name).cstring(statement).bytes(portal.bind.tail);
    relay_.expect({.kind = Expect::Kind::kBind});
}

/// Describe of a portal that lives on the server session of this pipeline.
bool Session::describe_on_server(const std::string& name) {
    const auto found = portals_.find(name);
    if (found == portals_.end()) {
        throw PgError(Error{.code = sqlstate::kInvalidCursorName, .message = "portal \"" + name + "\" does not exist"});
    }
    if (!found->second.shard || pipeline_ == nullptr || pipeline_shard_ != found->second.shard) return false;
    wire::write_describe(pipeline_->connection().out(), 'P', name);
    relay_.expect({.kind = Expect::Kind::kDescribe});
    if (pipeline_replayable_) pipeline_steps_.push_back({PipelineStep::Kind::kDescribe, name});
    return true;
}

/// Lets the server answer what it owes, without ending the pipeline.
Task<> Session::drain() {
    if (pipeline_ == nullptr || relay_.idle()) co_return;
    pipeline_replayable_ = false;
    wire::write_flush(pipeline_->connection().out());
    bool is_lost = false;
    try {
        co_await relay_.drain(pipeline_->connection(), client_);
    } catch (const backend::ConnectionLost&) {
        is_lost = true;
    }
    if (is_lost) lost_before_sync();
    if (relay_.failed()) {
        skip_until_sync_ = true;
        transaction_.fail();
    }
}

Task<> Session::on_flush() {
    co_await drain();
    co_await client_.flush();
}

/// The end of a pipeline: what ran outside of a block is committed now.
Task<> Session::on_sync() {
    co_await on_sync_pipeline(true);
    if (transaction_.mode() == Transaction::Mode::kImplicit) {
        if (transaction_.failed()) co_await rollback();
        else co_await commit();
    }
    if (!ready_sent_) ready();
    ready_sent_ = false;
}

Task<> Session::on_sync_pipeline(bool ends) {
    const bool forward = ends && !transaction_.open();
    if (pipeline_ != nullptr) {
        if (pipeline_->wrote && !transaction_.open()) co_await door();
        const Announcement announcement = transaction_.open() ? Announcement() : announce(*pipeline_);
        ready_sent_ = co_await finish_pipeline(forward && !announcement.made());
        co_await hear_announcement(announcement);
        if (relay_.failed()) transaction_.fail();
        pipeline_ = nullptr;
        pipeline_executed_ = false;
    }
    skip_until_sync_ = false;
    if (!transaction_.open()) {
        portals_.clear();
        release_statement_leases();
    } else if (transaction_.mode() == Transaction::Mode::kExplicit) {
        portals_.erase("");
    }
}

}  // namespace pgmosaic::coordinator

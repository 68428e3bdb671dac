#include "coordinator/execute.h"
#include "coordinator/internal/copy_encode.h"
#include "coordinator/internal/copy_gather.h"
#include "coordinator/internal/redirected_answer.h"
#include "coordinator/internal/shard_statement.h"
#include "coordinator/merge/merger.h"

/// COPY … TO STDOUT. What one shard has is relayed; what several have is theirs one after the other; what must be merged is
/// merged as a SELECT, and its rows are written as COPY would.
namespace pgmosaic::coordinator {

using planner::Copy;
using planner::PlanKind;

namespace {

// ---------------------------------------------------------------- one shard

/// The same bytes as the server's, through a simple query in either protocol: only ReadyForQuery stays with us.
Task<> relay_from(Session& session, ShardId shard, std::string sql, const planner::Statement& statement, std::string context) {
    Participant* participant = co_await session.use_shard(shard, statement.writes);
    session.note_state(statement, participant->connection());
    Relay& relay = session.relay();
    session.start_relay(*participant);
    relay.error_context = std::move(context);
    wire::write_query(participant->connection().out(), sql);
    relay.expect({.kind = Expect::Kind::kQuery});
    try {
        co_await relay.drain(participant->connection(), session.client());
    } catch (const backend::ConnectionLost&) {
        session.on_connection_lost(statement.writes, false);
    }
    const bool failed = relay.failed();
    session.release_statement_leases();
    if (failed) throw StatementFailed{};
}

// ---------------------------------------------------------------- several shards, one after the other

/// The shards of one COPY. Those that have not come to their ends when it goes out of scope cannot be used again.
class Sources {
   public:
    explicit Sources(std::vector<Participant*> participants) : participants_(std::move(participants)) {}
    Sources(const Sources&) = delete;
    Sources& operator=(const Sources&) = delete;
    ~Sources() {
        for (std::size_t i = done_; i < participants_.size(); ++i) participants_[i]->connection().broken = true;
    }

    Task<> send(Session& session, const planner::Statement& statement, std::string_view sql) {
        for (Participant* participant : participants_) {
            session.note_state(statement, participant->connection());
            wire::write_query(participant->connection().out(), sql);
            co_await participant->connection().write();
        }
    }
    Participant* next() { return done_ < participants_.size() ? participants_[done_] : nullptr; }
    void finished() { ++done_; }

   private:
    std::vector<Participant*> participants_;
    std::size_t done_ = 0;
};

/// A slow client is waited for before more is read: the shards are slowed by their full sockets.
Task<> gather_one(Session& session, Participant& participant, CopyGather& gather) {
    backend::Connection& connection = participant.connection();
    backend::Buffer& input = connection.stream().input();
    const std::function<void(const wire::Frame&)> note = [&connection](const wire::Frame& frame) { connection.note(frame); };
    gather.begin(std::exchange(participant.ready_to_skip, 0));
    while (true) {
        const std::size_t used = gather.take(input.unread(), session.client().out(), note);
        input.consume(used);
        if (session.client().out().size() >= ClientStream::kFlushBytes) co_await session.client().flush();
        if (gather.done()) co_return;
        if (used == 0 || input.empty()) co_await connection.fill(gather.want());
    }
}

Task<std::uint64_t> gather_all(Session& session, const std::vector<ShardId>& shards, const Copy& copy, std::string sql,
                               const planner::Statement& statement) {
    CopyGather gather(copy.format, copy.header);
    Sources sources(co_await session.use_shards(shards, statement.writes));
    co_await sources.send(session, statement, sql);
    while (Participant* participant = sources.next()) {
        co_await gather_one(session, *participant, gather);
        sources.finished();
        if (gather.error()) throw_shard_error(session, participant->shard(), *gather.error());
    }
    gather.end(session.client().out());
    co_return gather.rows();
}

Task<> copy_from_all(Session& session, const std::vector<ShardId>& shards, const Copy& copy, std::string sql,
                     const planner::Statement& statement) {
    // A COPY takes its snapshot when it runs and says nothing about it: the moment is opened before (PROTOCOLS 2.5).
    const bool moment = !statement.writes && session.needs_window(shards.size());
    bool own = false;
    if (moment) own = session.ensure_transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    else own = statement.writes && shards.size() > 1 && session.ensure_transaction();
    std::uint64_t rows = 0;
    try {
        rows = co_await gather_all(session, shards, copy, std::move(sql), statement);
    } catch (const backend::ConnectionLost&) {
        session.on_connection_lost(statement.writes && !session.transaction().open(), false);
    }
    session.release_statement_leases();
    if (own) co_await session.commit();
    wire::write_command_complete(session.client().out(), "COPY " + std::to_string(rows));
}

// ---------------------------------------------------------------- rows that must be merged

/// Makes COPY data of the rows that an executor writes.
class CopySink : public AnswerSink {
   public:
    CopySink(ClientStream& client, CopyEncoder encoder) : client_(client), encoder_(std::move(encoder)) {}

    Task<> take(std::string& messages) override {
        std::size_t used = 0;
        while (const auto frame = wire::next_frame(std::string_view(messages).substr(used))) {
            used += frame->whole.size();
            take_one(*frame);
            if (client_.out().size() >= ClientStream::kFlushBytes) co_await client_.flush();
        }
        messages.erase(0, used);
    }
    Task<std::uint64_t> end(std::string& messages) {
        co_await take(messages);
        if (!begun_) encoder_.begin(client_.out());
        encoder_.end(client_.out());
        co_return rows_;
    }

   private:
    void take_one(const wire::Frame& frame) {
        if (frame.type == 'N') client_.out() += frame.whole;
        if (frame.type != 'D') return;  // the command tag is counted here
        // Not before the first row: an error that comes instead finds a client that is not in a COPY.
        if (!begun_) encoder_.begin(client_.out());
        begun_ = true;
        encoder_.row(frame.body, client_.out());
        ++rows_;
    }

    ClientStream& client_;
    CopyEncoder encoder_;
    bool begun_ = false;
    std::uint64_t rows_ = 0;
};

/// A Bind without parameters that asks for one format for all columns.
std::string bind_body(bool binary) {
    std::string body(2, '\0');  // portal and statement without names
    for (const int number : {0, 0, 1, binary ? 1 : 0}) wire::put_int16(body, number);
    return body;
}

Task<> copy_merged(Session& session, const Copy& copy, const planner::Statement& inner, const planner::Planned& planned) {
    const bool executes = inner.plan == PlanKind::kScatter || inner.plan == PlanKind::kWorkbench;
    if (!executes || !inner.returns_rows || inner.writes) {
        throw PgError(refusal("COPY of this query is not supported", inner.reason, "COPY the rows of a SELECT, or write them to a table first."));
    }
    if (copy.format != Copy::Format::kBinary && copy.force_other_options) {
        throw PgError(refusal("this option of COPY is not supported for a query whose rows come from several shards",
                              "Its rows are merged before they are written.", "Leave out ENCODING and the like."));
    }
    PreparedStatement prepared;
    prepared.sql = copy.query;
    prepared.description = co_await session.describe(copy.query, {});
    std::vector<std::string> columns;
    for (const wire::Field& field : prepared.description->fields) columns.push_back(field.name);
    const std::string body = bind_body(copy.format == Copy::Format::kBinary);
    wire::Bind bind;
    wire::read_bind(body, bind);
    const Request request{inner, copy.query, planned.literals, &bind, &prepared};
    CopySink sink(session.client(), CopyEncoder(copy, std::move(columns)));
    std::uint64_t rows = 0;
    {
        RedirectedAnswer redirected(session, sink);
        if (inner.plan == PlanKind::kScatter) co_await execute_scatter(session, request);
        else co_await execute_workbench(session, request);
        rows = co_await sink.end(redirected.room);
    }
    wire::write_command_complete(session.client().out(), "COPY " + std::to_string(rows));
}

// ---------------------------------------------------------------- COPY (query)

/// The shards' rows are the answer's, in any order.
bool concatenates(const planner::Scatter& scatter) {
    const planner::MergeSpec& merge = scatter.merge;
    return merge.mode == planner::MergeSpec::Mode::kConcatenate && merge.hidden == 0 && !merge.limit && !merge.offset;
}

/// The COPY with its query as the shards are to run it; empty if the query cannot be found in it. As written where nothing
/// changes: positions in errors are then the client's.
std::string with_query(const Copy& copy, std::string_view written, const std::string& shard_sql) {
    if (shard_sql.empty()) return std::string(written);
    const std::size_t at = copy.shard_sql.find(copy.query);
    if (at == std::string::npos) return {};
    return copy.shard_sql.substr(0, at) + shard_sql + copy.shard_sql.substr(at + copy.query.size());
}

/// A transaction of READ COMMITTED has no snapshot that a COPY on several shards could use: a SELECT has one, by its Bind.
bool must_select(const Session& session, std::size_t shards) {
    return session.in_transaction() && session.isolation() == Isolation::kReadCommitted && session.needs_window(shards);
}

/// COPY table TO as COPY (SELECT … FROM table) TO.
Task<> copy_table_by_select(Session& session, const Request& request) {
    Copy copy = *request.statement.copy;
    const planner::Table* table = session.environment().catalog->find_table(copy.table);
    PGM_CHECK(table != nullptr, "COPY of a sharded table is planned for a table of the catalog");
    std::string columns;
    for (int column : copy.columns) {
        columns += (columns.empty() ? "" : ", ") + planner::quote_identifier(table->columns.at(static_cast<std::size_t>(column)).name);
    }
    copy.query = "SELECT " + columns + " FROM " + planner::quote_identifier(table->schema) + "." + planner::quote_identifier(table->name);
    planner::Planned planned;
    session.core().planner(session.database()).plan(copy.query, session.environment(), planned);
    if (planned.text->syntax_error) throw PgError(*planned.text->syntax_error);
    co_await copy_merged(session, copy, planned.text->statements.at(0), planned);
}

Task<> copy_query(Session& session, const Request& outer) {
    const Copy& copy = *outer.statement.copy;
    planner::Planned planned;
    session.core().planner(session.database()).plan(copy.query, session.environment(), planned);
    if (planned.text->syntax_error) throw PgError(*planned.text->syntax_error);
    const Request request{planned.text->statements.at(0), copy.query, planned.literals};
    std::optional<ShardId> shard;
    const planner::Statement& inner = session.effective(request.statement, request, shard);
    if (inner.plan == PlanKind::kRefuse) throw PgError(*inner.refusal);
    if (shard) {
        co_await relay_from(session, *shard, std::string(outer.sql), inner, "shard " + session.shard_name(*shard));
        co_return;
    }
    const bool selects = inner.plan == PlanKind::kScatter && must_select(session, session.shards_of(*inner.scatter, request).size());
    if (!selects && inner.plan == PlanKind::kScatter && inner.returns_rows && concatenates(*inner.scatter)) {
        std::string sql = with_query(copy, outer.sql, inner.scatter->shard_sql);
        if (!sql.empty()) {
            co_await copy_from_all(session, session.shards_of(*inner.scatter, request), copy, std::move(sql), inner);
            co_return;
        }
    }
    co_await copy_merged(session, copy, inner, planned);
}

}  // namespace

Task<> execute_copy_out(Session& session, const Request& request) {
    const Copy& copy = *request.statement.copy;
    if (copy.table == 0) {
        co_await copy_query(session, request);
        co_return;
    }
    std::string sql = copy.shard_sql.empty() ? std::string(request.sql) : copy.shard_sql;
    if (copy.placement == planner::Placement::kSharded && !request.statement.writes &&
        must_select(session, session.core().map()->shards().size())) {
        co_await copy_table_by_select(session, request);
        co_return;
    }
    if (copy.placement == planner::Placement::kSharded) {
        co_await copy_from_all(session, session.core().map()->shard_ids(), copy, std::move(sql), request.statement);
        co_return;
    }
    co_await relay_from(session, session.home(), std::move(sql), request.statement, {});
}

}  // namespace pgmosaic::coordinator

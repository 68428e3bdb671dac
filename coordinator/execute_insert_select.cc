#include "coordinator/execute_insert_select.h"

#include <algorithm>

#include "coordinator/execute.h"
#include "coordinator/internal/one_moment.h"
#include "coordinator/internal/redirected_answer.h"
#include "coordinator/internal/row_writer.h"
#include "coordinator/internal/shard_statement.h"
#include "shardmap/key_types.h"

/// INSERT … SELECT where no shard can answer for itself: the query runs by its own plan, once, and its rows go to their shards in
/// batches of the same transaction. What has a portal on a shard is fetched piece by piece, so that reading and writing take turns
/// on the transaction's own connections; what the workbench answers streams through; what must be merged first is kept.
namespace pgmosaic::coordinator {

using planner::PlanKind;

namespace {

constexpr const char* kPortal = "pgm_rows";
constexpr std::size_t kFetchBytes = std::size_t{1} << 20;
constexpr std::int32_t kFetchRowsFirst = 512;
constexpr std::int32_t kFetchRowsMax = 16384;

/// A statement of our own with the client's parameters and the formats that we want, to be run like a client's.
class SourceRequest {
   public:
    SourceRequest(const Request& outer, const std::string& sql) : outer_(outer), sql_(sql) {
        prepared_.sql = sql;
        if (outer.prepared != nullptr) {
            prepared_.types = outer.prepared->types;
            if (outer.prepared->description) prepared_.types = outer.prepared->description->parameters;
        }
    }
    SourceRequest(const SourceRequest&) = delete;
    SourceRequest& operator=(const SourceRequest&) = delete;

    const std::vector<Oid>& types() const { return prepared_.types; }
    void plan(Session& session) {
        session.core().planner(session.database()).plan(sql_, session.environment(), planned_);
        if (planned_.text->syntax_error) throw PgError(*planned_.text->syntax_error);
    }
    void bind(std::shared_ptr<const Description> description, const std::vector<SourceColumn>& columns) {
        auto with_parameters = std::make_shared<Description>(*description);
        prepared_.description = with_parameters;
        body_.assign(2, '\0');  // portal and statement without names
        if (outer_.bind != nullptr) body_ += outer_.bind->parameters;
        else body_.append(4, '\0');
        wire::put_int16(body_, static_cast<std::int32_t>(columns.size()));
        for (const SourceColumn& column : columns) wire::put_int16(body_, column.binary ? 1 : 0);
        wire::read_bind(body_, bind_);
    }
    const planner::Statement& statement() const { return planned_.text->statements.front(); }
    const wire::Bind& bound() const { return bind_; }
    const PreparedStatement& prepared() const { return prepared_; }
    Request request() const { return Request{statement(), sql_, planned_.literals, &bind_, &prepared_}; }

   private:
    const Request& outer_;
    std::string sql_;
    PreparedStatement prepared_;
    planner::Planned planned_;
    std::string body_;
    wire::Bind bind_;
};

/// The columns of the source, and how their values travel.
Task<std::vector<SourceColumn>> columns_of(Session& session, const planner::InsertSelect& plan, const Description& description) {
    std::vector<SourceColumn> columns;
    std::string oids;
    for (std::size_t i = 0; i < description.fields.size(); ++i) {
        const wire::Field& field = description.fields[i];
        bool binary = array_type_of(field.type) != 0;
        const auto family = shardmap::key_family(field.type);
        // A key is hashed as it comes if its own type, in the servers' encoding, is what comes.
        const bool key = plan.placement == planner::Placement::kSharded && i == plan.key;
        const bool text = family == shardmap::KeyFamily::kText || family == shardmap::KeyFamily::kBpchar;
        if (key && (!family || family != shardmap::key_family(plan.key_type) || (text && !session.utf8()))) binary = false;
        columns.push_back({.type = field.type, .binary = binary});
        oids += (oids.empty() ? "" : ",") + std::to_string(field.type);
    }
    const bool named = std::all_of(columns.begin(), columns.end(), [](const SourceColumn& column) { return column.binary; });
    if (named) co_return columns;
    const auto names = co_await session.query_shard(
        session.home(), "SELECT pg_catalog.format_type(t, -1) FROM pg_catalog.unnest('{" + oids + "}'::pg_catalog.oid[]) WITH ORDINALITY AS u (t, n) ORDER BY n",
        false);
    for (std::size_t i = 0; i < columns.size(); ++i) columns[i].type_name = names.rows.at(i).at(0).value_or("text");
    co_return columns;
}

// ---------------------------------------------------------------- portals

/// A portal per shard, opened together and fetched one after the other.
class SourcePortals {
   public:
    SourcePortals(Session& session, const SourceRequest& source) : session_(session), source_(source) {}

    Task<> open(const std::vector<ShardId>& shards, std::string sql) {
        const planner::Statement& statement = source_.statement();
        participants_ = co_await session_.use_shards(shards, statement.writes);
        NamedPortal portal{.name = kPortal, .sql = std::move(sql), .types = source_.types(), .bind_tail = source_.bound().tail};
        for (Oid& type : portal.types) {
            if (type >= 16384) type = 0;  // a user's type has another number on each server
        }
        // A SELECT reads by the snapshot of its Bind; a write takes another when it runs (PROTOCOLS 2.5).
        portal.at_one_moment = statement.command == planner::Command::kSelect && session_.needs_window(shards.size());
        std::vector<ShardReply> replies;
        for (Participant* participant : participants_) {
            session_.note_state(statement, participant->connection());
            replies.emplace_back(*participant);
        }
        co_await open_portals(session_, replies, std::move(portal));
        for (ShardReply& reply : replies) check(reply);
    }

    /// What a portal writes it writes before its first row comes: on all shards, before anything is put on one of them.
    Task<> begin_writing(RowWriter& writer) {
        for (Participant* participant : participants_) {
            const bool over = co_await fetch(*participant, writer, 1);
            if (over) over_.push_back(participant);
        }
    }

    Task<> drain(RowWriter& writer) {
        for (Participant* participant : participants_) co_await drain_one(*participant, writer);
    }

   private:
    Task<> drain_one(Participant& participant, RowWriter& writer) {
        bool over = std::find(over_.begin(), over_.end(), &participant) != over_.end();
        rows_max_ = kFetchRowsFirst;
        while (!over) {
            over = co_await fetch(participant, writer, rows_max_);
            if (writer.full()) co_await writer.flush();
        }
        wire::write_close(participant.connection().out(), 'P', kPortal);
        wire::write_sync(participant.connection().out());
        co_await participant.connection().write();
        ShardReply closed(participant);
        co_await closed.skip_to_end();
    }

    /// True if the portal has no more rows.
    Task<bool> fetch(Participant& participant, RowWriter& writer, std::int32_t rows_max) {
        wire::write_execute(participant.connection().out(), kPortal, rows_max);
        wire::write_sync(participant.connection().out());
        co_await participant.connection().write();
        ShardReply reply(participant);
        std::size_t rows = 0;
        std::size_t bytes = 0;
        while (!reply.done()) {
            const bool any = reply.take([&](std::string_view body) { writer.add(body), ++rows, bytes += body.size(); }, [] { return true; });
            if (!any) co_await reply.fill();
        }
        check(reply);
        const std::size_t width = bytes / std::max<std::size_t>(rows, 1) + 1;
        rows_max_ = static_cast<std::int32_t>(std::clamp<std::size_t>(kFetchBytes / width, 1, kFetchRowsMax));
        co_return !reply.tag().empty();
    }

    void check(ShardReply& reply) const {
        if (!reply.error()) {
            for (const std::string& notice : reply.notices) session_.client().out() += notice;
            return;
        }
        Error error = *reply.error();
        error.position = 0;
        const planner::Statement& statement = source_.statement();
        const bool home = statement.plan == PlanKind::kRoute && statement.route.where == planner::Route::Where::kHome;
        if (home) throw PgError(std::move(error));
        throw_shard_error(session_, reply.participant().shard(), std::move(error));
    }

    Session& session_;
    const SourceRequest& source_;
    std::vector<Participant*> participants_;
    std::vector<Participant*> over_;  ///< they have given all their rows
    std::int32_t rows_max_ = kFetchRowsFirst;
};

// ---------------------------------------------------------------- rows that an executor makes

/// Takes the rows of an executor. While the shards are busy with the source nothing can be written to them: rows are kept then.
class RowSink : public AnswerSink {
   public:
    RowSink(Session& session, RowWriter& writer, bool shards_are_free) : session_(session), writer_(writer), shards_are_free_(shards_are_free) {}

    Task<> take(std::string& messages) override {
        std::size_t used = 0;
        while (const auto frame = wire::next_frame(std::string_view(messages).substr(used))) {
            used += frame->whole.size();
            if (frame->type == 'N') session_.client().out() += frame->whole;
            if (frame->type != 'D') continue;
            if (shards_are_free_) {
                writer_.add(frame->body);
                if (writer_.full()) co_await writer_.flush();
            } else {
                keep(frame->whole);
            }
        }
        messages.erase(0, used);
    }

    Task<> end(std::string& messages) {
        shards_are_free_ = true;
        std::string kept = std::move(kept_);
        co_await take(kept);
        co_await take(messages);
    }

   private:
    void keep(std::string_view frame) {
        kept_ += frame;
        if (kept_.size() <= session_.core().cluster().options().memory_bytes_max) return;
        throw PgError(Error{.code = sqlstate::kConfigurationLimitExceeded,
                            .message = "the rows to insert need more memory than limits.memory allows",
                            .detail = "They are merged from several shards before the first is written.",
                            .hint = "Raise limits.memory, or insert them in parts."});
    }

    Session& session_;
    RowWriter& writer_;
    bool shards_are_free_;
    std::string kept_;
};

bool concatenates(const planner::Statement& statement) {
    if (statement.plan != PlanKind::kScatter) return false;
    const planner::MergeSpec& merge = statement.scatter->merge;
    return merge.mode == planner::MergeSpec::Mode::kConcatenate && merge.hidden == 0 && !merge.limit && !merge.offset;
}

Task<> write_rows(Session& session, const SourceRequest& source, RowWriter& writer) {
    const Request request = source.request();
    std::optional<ShardId> shard;
    const planner::Statement& plan = session.effective(request.statement, request, shard);
    if (plan.plan == PlanKind::kRefuse) throw PgError(*plan.refusal);
    if (!plan.admin_views.empty()) throw PgError(refusal("cannot insert rows of a view of schema mosaic", "Its rows are made by pgmosaic, not by a server."));
    const bool portals = shard.has_value() || concatenates(plan);
    if (portals) {
        std::vector<ShardId> shards;
        std::string sql = source.prepared().sql;
        if (shard) {
            shards.push_back(*shard);
            if (!plan.rewritten.empty()) sql = plan.rewritten;
        } else {
            shards = session.shards_of(*plan.scatter, request);
            if (!plan.scatter->shard_sql.empty()) sql = plan.scatter->shard_sql;
        }
        SourcePortals rows(session, source);
        co_await rows.open(shards, std::move(sql));
        if (plan.writes) co_await rows.begin_writing(writer);
        co_await rows.drain(writer);
        co_return;
    }
    const bool selects = plan.command == planner::Command::kSelect && plan.returns_rows;
    if ((plan.plan != PlanKind::kScatter && plan.plan != PlanKind::kWorkbench) || !selects) {
        throw PgError(refusal("cannot insert the rows of this query", plan.reason, "Read the rows first, then insert them."));
    }
    RowSink sink(session, writer, plan.plan == PlanKind::kWorkbench);
    RedirectedAnswer redirected(session, sink);
    const Request inner{plan, request.sql, request.literals, request.bind, request.prepared};
    if (plan.plan == PlanKind::kWorkbench) co_await execute_workbench(session, inner);
    else co_await execute_scatter(session, inner);
    co_await sink.end(redirected.room);
}

}  // namespace

/// Foreign keys that point at a row would see it deleted: cascades would eat what belongs to it (PROTOCOLS 4.4).
Task<> check_no_references(Session& session, Oid table, std::string key) {
    const auto found = co_await session.query_shard(
        session.home(), "SELECT conrelid::pg_catalog.regclass FROM pg_catalog.pg_constraint WHERE contype = 'f' AND confrelid = " + std::to_string(table) + " LIMIT 1",
        false);
    if (found.rows.empty()) co_return;
    throw PgError(refusal("cannot change shard key \"" + key + "\" of a table that foreign keys refer to",
                          "The row moves to another shard, and table " + found.scalar() + " would see it deleted.",
                          "Insert the row with its new key, change what refers to it, then delete the old row."));
}

Task<std::string> insert_rows(Session& session, const Request& request, const planner::InsertSelect& plan) {
    // PostgreSQL judges the statement as it was written: its names, its types, its rights to be there at all.
    if (!plan.targets.empty()) {
        const std::vector<Oid> types = request.prepared == nullptr ? std::vector<Oid>{} : request.prepared->types;
        co_await session.describe(request.sql, types);
    }
    if (plan.moves) co_await check_no_references(session, plan.table, plan.targets[plan.key].name);
    SourceRequest source(request, plan.source_sql);
    const auto description = co_await session.describe(plan.source_sql, source.types());
    if (description->fields.empty()) throw PgError(refusal("cannot insert rows without columns into a table of several shards", {}, "Use DEFAULT VALUES."));
    source.plan(session);
    std::vector<SourceColumn> columns = co_await columns_of(session, plan, *description);
    source.bind(description, columns);
    if (!plan.lock_sql.empty()) {
        const std::vector<ShardId> leader(1, session.home());
        co_await run_on_shards(session, leader, plan.lock_sql, true);
        co_await run_on_shards(session, session.core().map()->shard_ids(), plan.lock_sql, true);
    }
    RowWriter writer(session, request, plan, std::move(columns));
    co_await write_rows(session, source, writer);
    co_await writer.finish();
    co_return plan.verb + " " + std::to_string(writer.rows());
}

Task<> execute_insert_select(Session& session, const Request& request, const planner::InsertSelect& plan) {
    const bool own = session.ensure_transaction();
    std::string tag;
    try {
        tag = co_await insert_rows(session, request, plan);
    } catch (const backend::ConnectionLost&) {
        session.on_connection_lost(false, false);
    }
    if (own) co_await session.commit();
    session.complete(request, std::move(tag));
}

}  // namespace pgmosaic::coordinator

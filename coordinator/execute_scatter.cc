#include "coordinator/execute.h"
#include "coordinator/execute_colocated_insert.h"
#include "coordinator/internal/one_moment.h"
#include "coordinator/internal/repeat_read.h"
#include "coordinator/merge/merger.h"

#include <exception>

namespace pgmosaic::coordinator {

using planner::MergeSpec;

namespace {

/// One statement on several shards with its merge: sends, reads whichever shard the merge wants next, and writes rows as
/// the client takes them.
class ScatterRun {
   public:
    ScatterRun(Session& session, const Request& request) : session_(session), request_(request), plan_(*request.statement.scatter) {}
    /// A server session in the middle of an answer would give its rest to whoever asks next.
    ~ScatterRun() {
        for (ShardReply& reply : replies_) {
            if (!reply.done()) reply.participant().connection().broken = true;
        }
    }
    ScatterRun(const ScatterRun&) = delete;
    ScatterRun& operator=(const ScatterRun&) = delete;

    Task<> send(const std::vector<ShardId>& shards) {
        const std::string_view sql = plan_.shard_sql.empty() ? request_.sql : std::string_view(plan_.shard_sql);
        const ShardFormats formats{.visible = plan_.merge.visible, .hidden = plan_.merge.hidden};
        const auto participants = co_await session_.use_shards(shards, request_.statement.writes);
        replies_.reserve(participants.size());
        if (request_.statement.returns_rows && reads_rows() && session_.needs_window(shards.size())) {
            std::vector<MomentPart> parts;
            for (Participant* participant : participants) parts.push_back({.reply = replies_.emplace_back(*participant), .sql = std::string(sql)});
            co_await send_at_one_moment(session_, request_, std::move(parts), formats, !request_.statement.writes);
            co_return;
        }
        for (Participant* participant : participants) {
            put_statement(*participant, session_.core(), request_, sql, formats);
            replies_.emplace_back(*participant);
        }
        for (Participant* participant : participants) co_await participant->connection().write();
    }

    /// After an error of ours (a negative LIMIT, no memory) the answers are read to their ends, too: the transaction lives on.
    Task<> merge() {
        std::exception_ptr failure;
        try {
            co_await merge_rows();
        } catch (const PgError&) {
            failure = std::current_exception();
        }
        if (failure == nullptr) co_return;
        for (ShardReply& reply : replies_) co_await reply.skip_to_end();
        std::rethrow_exception(failure);
    }

    /// Rows of an UPDATE or DELETE without RETURNING: there are none.
    Task<> without_rows() {
        for (ShardReply& reply : replies_) co_await reply.skip_to_end();
        co_await check_errors();
    }

    std::string tag() const {
        if (request_.statement.returns_rows && !request_.statement.writes) return "SELECT " + std::to_string(rows_);
        std::uint64_t sum = 0;
        std::string verb;
        for (const ShardReply& reply : replies_) {
            sum += wire::tag_rows(reply.tag());
            verb = reply.tag().substr(0, reply.tag().rfind(' '));
        }
        if (verb == "SELECT") sum = rows_;
        return verb + " " + std::to_string(sum);
    }

   private:
    Task<> merge_rows() {
        co_await replies_.front().until_described();
        co_await check_errors();
        write_row_description();
        const auto merger = make_merger();
        std::vector<bool> told(replies_.size(), false);
        while (!merger->finished()) {
            bool progress = false;
            for (std::size_t i = 0; i < replies_.size(); ++i) {
                ShardReply& reply = replies_[i];
                progress |= reply.take([&](std::string_view body) { merger->row(i, body); }, [&] { return merger->wants(i); });
                if (reply.error()) co_await check_errors();
                if (reply.done() && !told[i]) {
                    told[i] = true;
                    progress = true;
                    merger->input_done(i);
                }
            }
            const std::size_t before = session_.answer().size();
            merger->drain(session_.answer(), ClientStream::kFlushBytes);
            progress |= session_.answer().size() != before;
            check_memory(merger->buffered_bytes());
            co_await session_.flush_answer();
            if (!progress && !merger->finished()) co_await fill_wanted(*merger);
        }
        for (ShardReply& reply : replies_) co_await reply.skip_to_end();
        co_await check_errors();
        rows_ = merger->rows();
    }

    /// The snapshot of a SELECT is the one of its Bind; UPDATE … RETURNING takes another when it runs (PROTOCOLS 2.5).
    bool reads_rows() const {
        const planner::Command command = request_.statement.command;
        return command != planner::Command::kUpdate && command != planner::Command::kDelete && command != planner::Command::kMerge;
    }

    Task<> fill_wanted(const merge::Merger& merger) {
        for (std::size_t i = 0; i < replies_.size(); ++i) {
            if (replies_[i].done() || !merger.wants(i)) continue;
            co_await replies_[i].fill();
            co_return;
        }
        // Nobody is wanted and nothing came out: the end must be near, so whoever is not done is read on.
        for (ShardReply& reply : replies_) {
            if (reply.done()) continue;
            co_await reply.fill();
            co_return;
        }
    }

    /// All shards' answers are read to their ends before the first error is thrown: the server sessions stay usable.
    Task<> check_errors() {
        for (ShardReply& reply : replies_) {
            if (!reply.error()) continue;
            for (ShardReply& other : replies_) co_await other.skip_to_end();
            throw_shard_error(session_, reply.participant().shard(), *reply.error());
        }
        for (ShardReply& reply : replies_) {
            for (const std::string& notice : reply.notices) session_.client().out() += notice;
            reply.notices.clear();
        }
    }

    std::size_t visible() const {
        const MergeSpec& spec = plan_.merge;
        return spec.hidden == 0 ? replies_.front().fields().size() : spec.visible;
    }

    void write_row_description() {
        if (!request_.simple()) return;
        std::vector<wire::Field> fields = replies_.front().fields();
        fields.resize(visible());
        wire::write_row_description(session_.answer(), fields);
    }

    std::unique_ptr<merge::Merger> make_merger() {
        std::vector<merge::ColumnFormat> formats;
        for (std::size_t i = 0; i < visible(); ++i) {
            const bool binary = !request_.simple() && request_.bind->result_format(i) == wire::Format::kBinary;
            formats.push_back({.type = replies_.front().fields()[i].type, .binary = binary});
        }
        MergeSpec spec = plan_.merge;
        spec.visible = static_cast<std::uint16_t>(visible());
        return merge::Merger::make(spec, replies_.size(), formats, session_.count_of(spec.limit, request_),
                                   session_.count_of(spec.offset, request_));
    }

    void check_memory(std::size_t bytes) const {
        if (bytes <= session_.core().cluster().options().memory_bytes_max) return;
        throw PgError(Error{.code = sqlstate::kConfigurationLimitExceeded,
                            .message = "the merge of the shards' rows needs more memory than limits.memory allows",
                            .hint = "Raise limits.memory, or narrow the query."});
    }

    Session& session_;
    const Request& request_;
    const planner::Scatter& plan_;
    std::vector<ShardReply> replies_;
    std::uint64_t rows_ = 0;
};

Task<std::string> run_scatter(Session& session, const Request& request, const std::vector<ShardId>& shards) {
    ScatterRun run(session, request);
    co_await run.send(shards);
    if (request.statement.returns_rows) co_await run.merge();
    else co_await run.without_rows();
    co_return run.tag();
}

}  // namespace

Task<> execute_scatter(Session& session, const Request& request) {
    const bool handled = co_await insert_at_one_moment(session, request);
    if (handled) co_return;
    co_await execute_on_shards(session, request, "BEGIN");
}

Task<> execute_on_shards(Session& session, const Request& request, std::string begin_sql) {
    const std::vector<ShardId> shards = session.shards_of(*request.statement.scatter, request);
    // Writes are a transaction even where the client opened none: commit() knows how to end it on several shards, and how to
    // find the outcome of a lost COMMIT.
    const bool own = request.statement.writes && session.ensure_transaction(std::move(begin_sql));
    std::string tag;
    for (int attempt = 1;; ++attempt) {
        const std::uint64_t begin = session.client().position();
        bool is_lost = false;
        try {
            tag = co_await run_scatter(session, request, shards);
        } catch (const backend::ConnectionLost&) {
            is_lost = true;
        }
        if (!is_lost) break;
        const bool again = attempt < kReadAttemptsMax && may_repeat_read(session, request, begin);
        session.on_connection_lost(request.statement.writes && !session.transaction().open(), again);
    }
    session.release_statement_leases();
    if (own) co_await session.commit();
    session.complete(request, std::move(tag));
}

void Session::complete(const Request&, std::string tag) { wire::write_command_complete(answer(), tag); }

Task<> Session::flush_answer() {
    if (sink_ != nullptr) {
        co_await sink_->take(*answer_);
        co_return;
    }
    if (answer_kept_) {
        if (answer().size() > core_.cluster().options().memory_bytes_max) {
            throw PgError(Error{.code = sqlstate::kConfigurationLimitExceeded,
                                .message = "the rows kept for a portal need more memory than limits.memory allows"});
        }
        co_return;
    }
    if (client_.out().size() >= ClientStream::kFlushBytes) co_await client_.flush();
}

}  // namespace pgmosaic::coordinator

#include "coordinator/execute.h"
#include "coordinator/internal/explanation.h"
#include "coordinator/internal/redirected_answer.h"
#include "coordinator/internal/shard_statement.h"
#include "planner/plan_details.h"

namespace pgmosaic::coordinator {

using planner::PlanKind;
using planner::Pull;

namespace {

constexpr Oid kLinesOid = 25;
constexpr Oid kJsonOid = 114;

std::string_view kind_name(PlanKind kind) {
    switch (kind) {
        case PlanKind::kRoute: return "Route";
        case PlanKind::kScatter: return "Scatter";
        case PlanKind::kWorkbench: return "Workbench";
        case PlanKind::kInsert: return "Insert by key";
        case PlanKind::kReferenceWrite: return "Write on all copies";
        case PlanKind::kBroadcast: return "All shards";
        default: return "Plan";
    }
}

double ms_since(Clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// The single text column of a row.
std::string only_value(std::string_view body) {
    wire::Reader reader(body);
    if (reader.int16() != 1) throw PgError(Error{.message = "a shard's EXPLAIN has more than one column"});
    const std::int32_t length = reader.int32();
    return length < 0 ? std::string() : std::string(reader.bytes(static_cast<std::size_t>(length)));
}

/// Counts what a statement answers.
class CountingSink : public AnswerSink {
   public:
    Task<> take(std::string& messages) override {
        std::size_t used = 0;
        while (const auto frame = wire::next_frame(std::string_view(messages).substr(used))) {
            used += frame->whole.size();
            if (frame->type == 'D') ++rows, bytes += frame->body.size();
            if (frame->type == 'C') tag = wire::Reader(frame->body).cstring();
        }
        messages.erase(0, used);
        co_return;
    }
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    std::string tag;
};

/// The plans that can be explained and are not run by each shard for itself.
Task<> execute_plan(Session& session, const Request& request) {
    switch (request.statement.plan) {
        case PlanKind::kWorkbench: co_await execute_workbench(session, request); break;
        case PlanKind::kInsert: co_await execute_insert(session, request); break;
        case PlanKind::kReferenceWrite: co_await execute_reference_write(session, request); break;
        case PlanKind::kBroadcast: co_await execute_broadcast(session, request); break;
        default: throw PgError(refusal("EXPLAIN ANALYZE of this statement is not available", request.statement.reason, "Use EXPLAIN without ANALYZE."));
    }
}

/// EXPLAIN of one statement of several shards, or of the shard that its key names.
class ExplainRun {
   public:
    ExplainRun(Session& session, const Request& request) : session_(session), request_(request), statement_(request.statement) {}

    Task<> run() {
        explanation_.node = "Mosaic " + std::string(kind_name(statement_.plan));
        explanation_.reason = statement_.reason;
        explanation_.rows_of = planner::details_of(statement_).selects ? planner::details_of(statement_).rows.source_sql : std::string();
        if (statement_.plan == PlanKind::kRoute || statement_.plan == PlanKind::kScatter) co_await explain_on_shards();
        else if (statement_.force) co_await run_whole();
        else if (statement_.plan == PlanKind::kWorkbench) co_await explain_pulls();
        if (statement_.workbench) explanation_.statement = statement_.workbench->final_sql;
    }

    std::vector<std::string> rows() const {
        if (statement_.name == "json") return {json_of(explanation_)};
        return text_of(explanation_);
    }

   private:
    struct Asked {
        ShardId shard{};
        std::string sql;
    };

    /// ANALYZE runs it on all of its shards; else one of them stands for all.
    Task<> explain_on_shards() {
        std::string sql = statement_.argument;
        std::vector<ShardId> shards;
        if (statement_.plan == PlanKind::kRoute) {
            std::optional<ShardId> shard;
            session_.effective(statement_, request_, shard);
            shards.push_back(*shard);
        } else {
            shards = session_.shards_of(*statement_.scatter, request_);
            if (!statement_.scatter->shard_sql.empty()) sql = statement_.scatter->shard_sql;
            explanation_.statement = sql;
        }
        for (ShardId shard : shards) explanation_.shards.push_back(session_.shard_name(shard));
        if (!statement_.force) shards.resize(1);
        std::vector<Asked> asked;
        for (ShardId shard : shards) asked.push_back({shard, sql});
        const bool own = statement_.force && statement_.writes && session_.ensure_transaction();
        const auto begin = Clock::now();
        co_await ask(std::move(asked));
        if (own) co_await session_.commit();
        if (statement_.force && statement_.plan == PlanKind::kScatter) explanation_.ms = ms_since(begin);
    }

    Task<> explain_pulls() {
        for (const planner::WrittenTable& table : planner::details_of(statement_).written) {
            if (table.pull_sql.empty()) continue;
            std::vector<Asked> asked;
            asked.push_back({session_.home(), table.pull_on(session_.home())});
            co_await ask(std::move(asked));
            explanation_.plans.back().pull = table.rows;
            explanation_.plans.back().statement = table.pull_sql;
        }
        for (const Pull& pull : statement_.workbench->pulls) {
            std::vector<Asked> asked;
            asked.push_back({session_.home(), pull.shard_sql});
            co_await ask(std::move(asked));
            explanation_.plans.back().pull = pull.name;
            explanation_.plans.back().statement = pull.shard_sql;
        }
    }

    /// Each server gets a statement of its own, side by side.
    Task<> ask(std::vector<Asked> asked) {
        std::vector<ShardId> shards;
        for (const Asked& each : asked) shards.push_back(each.shard);
        const auto participants = co_await session_.use_shards(shards, statement_.writes);
        const auto begin = Clock::now();
        std::vector<ShardReply> replies;
        replies.reserve(participants.size());
        for (std::size_t i = 0; i < participants.size(); ++i) {
            put_statement(*participants[i], session_.core(), request_, statement_.arguments.at(0) + asked[i].sql, ShardFormats{});
            replies.emplace_back(*participants[i]);
        }
        for (Participant* participant : participants) co_await participant->connection().write();
        for (ShardReply& reply : replies) co_await collect(reply, begin);
        for (ShardReply& reply : replies) {
            if (reply.error()) throw_shard_error(session_, reply.participant().shard(), *reply.error());
        }
        session_.release_statement_leases();
    }

    Task<> collect(ShardReply& reply, Clock::time_point begin) {
        std::vector<std::string> bodies;
        co_await reply.collect(bodies);
        ServerPlan plan{.server = session_.shard_name(reply.participant().shard())};
        for (const std::string& body : bodies) plan.rows.push_back(only_value(body));
        if (statement_.force) plan.ms = ms_since(begin);
        explanation_.plans.push_back(std::move(plan));
    }

    /// What no shard can tell alone is run as it would be without EXPLAIN, and counted.
    Task<> run_whole() {
        planner::Planned planned;
        session_.core().planner(session_.database()).plan(statement_.argument, session_.environment(), planned);
        if (planned.text->syntax_error) throw PgError(*planned.text->syntax_error);
        const Request inner{planned.text->statements.at(0), statement_.argument, planned.literals, request_.bind, request_.prepared};
        CountingSink sink;
        const auto begin = Clock::now();
        {
            RedirectedAnswer redirected(session_, sink);
            co_await execute_plan(session_, inner);
            co_await sink.take(redirected.room);
        }
        explanation_.ms = ms_since(begin);
        explanation_.rows = inner.statement.returns_rows ? sink.rows : wire::tag_rows(sink.tag);
        explanation_.bytes = sink.bytes;
    }

    Session& session_;
    const Request& request_;
    const planner::Statement& statement_;
    Explanation explanation_;
};

void check_explainable(const planner::Statement& statement) {
    if (statement.plan == PlanKind::kRefuse) throw PgError(*statement.refusal);
    if (statement.plan == PlanKind::kLocal) {
        throw PgError(refusal("EXPLAIN EXECUTE is not available where tables lie on several shards",
                              "Where the statement goes depends on its arguments.", "EXPLAIN the statement itself."));
    }
    if (statement.name == "yaml" || statement.name == "xml") {  // what is no format at all the shards refuse
        throw PgError(refusal("EXPLAIN of a statement on several shards has no FORMAT " + statement.name,
                              "The plans of several servers are put into one.", "Use FORMAT TEXT or FORMAT JSON."));
    }
}

}  // namespace

Task<> execute_explain(Session& session, const Request& request) {
    check_explainable(request.statement);
    ExplainRun run(session, request);
    try {
        co_await run.run();
    } catch (const backend::ConnectionLost&) {
        session.on_connection_lost(request.statement.writes && !session.transaction().open(), false);
    }
    if (request.simple()) {
        const std::vector<wire::Field> fields{{.name = "QUERY PLAN", .type = request.statement.name == "json" ? kJsonOid : kLinesOid}};
        wire::write_row_description(session.answer(), fields);
    }
    for (const std::string& row : run.rows()) {
        const std::vector<std::string> values(1, row);
        wire::write_text_row(session.answer(), values);
    }
    session.complete(request, "EXPLAIN");
}

}  // namespace pgmosaic::coordinator

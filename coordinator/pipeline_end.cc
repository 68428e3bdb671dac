#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "coordinator/internal/lost_errors.h"
#include "coordinator/session.h"

/// Sync of a pipeline on one shard, and the same pipeline on another server when the first one was lost.
namespace pgmosaic::coordinator {

namespace {

constexpr std::size_t kPipelineStepsMax = 64;

}  // namespace

/// Returns true if the server's ReadyForQuery has gone to the client.
Task<bool> Session::finish_pipeline(bool forward) {
    for (int attempt = 1;; ++attempt) {
        backend::Connection& connection = pipeline_->connection();
        Lost lost{.writes = pipeline_->wrote, .repeatable = pipeline_replayable_, .answer_begin = pipeline_begin_, .attempt = attempt};
        const bool commits = pipeline_->wrote && pipeline_executed_ && !transaction_.open() && !relay_.failed();
        if (commits && pipeline_tokens_) lost.token = make_token(core_, *pipeline_);
        if (!lost.token.word.empty()) put_token(connection, lost.token);
        wire::write_sync(connection.out());
        relay_.expect({.kind = Expect::Kind::kSync, .forward = false, .forward_ready = forward});
        bool is_lost = false;
        try {
            co_await relay_.drain(connection, client_);
        } catch (const backend::ConnectionLost&) {
            is_lost = true;
        }
        if (!is_lost) {
            if (relay_.failed()) forget_token_statement(connection);
            co_return forward;
        }
        lost.answered = relay_.answered();
        pipeline_ = nullptr;
        const AfterLoss next = co_await after_loss(std::move(lost));
        if (next == AfterLoss::kDone) co_return false;
        co_await replay_pipeline();
    }
}

void Session::note_bind(const planner::Statement& statement, const std::string& portal) {
    if (statement.writes && !may_carry_token(statement)) pipeline_tokens_ = false;
    for (const PipelineStep& step : pipeline_steps_) {
        // The first portal of this name is forgotten.
        if (step.kind == PipelineStep::Kind::kBind && step.text == portal) pipeline_replayable_ = false;
    }
    // A long pipeline is not kept for the rare case.
    if (pipeline_steps_.size() >= kPipelineStepsMax) pipeline_replayable_ = false;
    if (pipeline_replayable_) pipeline_steps_.push_back({PipelineStep::Kind::kBind, portal});
    else pipeline_steps_.clear();
}

/// Nobody has been asked to commit: nothing has happened, whatever was written.
void Session::lost_before_sync() {
    // Part of a row has gone to the client: whatever came now would be taken for the rest of it.
    if (relay_.in_row()) throw boost::system::system_error(asio::error::connection_aborted);
    relay_.clear();
    throw backend::ConnectionLost(server_lost());
}

/// Puts the messages of the pipeline before a server session of the shard's new primary. Portals live until Sync, so what
/// they were bound to is still there.
Task<> Session::replay_pipeline() {
    const std::vector<PipelineStep> steps = std::move(pipeline_steps_);
    const std::string context = relay_.error_context;
    for (const PipelineStep& step : steps) {
        if (step.kind == PipelineStep::Kind::kBind) {
            const Portal& portal = portals_.find(step.text)->second;
            const planner::Statement& statement = portal.statement->planned.text->statements.front();
            Participant* participant = co_await pipeline_to(*portal.shard, statement.writes);
            note_state(statement, participant->connection());
            if (statement.writes && !may_carry_token(statement)) pipeline_tokens_ = false;
            put_parse(*participant, *portal.statement);
            put_bind(*participant, step.text, portal);
        } else if (step.kind == PipelineStep::Kind::kDescribe) {
            wire::write_describe(pipeline_->connection().out(), 'P', step.text);
            relay_.expect({.kind = Expect::Kind::kDescribe});
        } else if (step.kind == PipelineStep::Kind::kExecute) {
            wire::write_execute(pipeline_->connection().out(), step.text, step.rows_max);
            relay_.expect({.kind = Expect::Kind::kExecute});
            pipeline_executed_ = true;
        } else {
            relay_.answer_in_turn(step.text);
        }
    }
    relay_.error_context = context;
    pipeline_steps_ = steps;
}

}  // namespace pgmosaic::coordinator

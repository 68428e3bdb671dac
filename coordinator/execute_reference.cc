#include "coordinator/execute.h"
#include "coordinator/internal/shard_statement.h"

/// Writes of reference tables (PROTOCOLS 1.11): a lock on every copy, home first, makes writers follow one another; rows that
/// an INSERT made on the leader, not the INSERT, go to the other copies, so that defaults and triggers are evaluated once.
namespace pgmosaic::coordinator {

namespace {

Task<std::string> insert_by_leader(Session& session, const Request& request, const planner::ReferenceWrite& plan) {
    Participant* leader = co_await session.use_shard(session.home(), true);
    const std::size_t count = plan.columns.size();
    const std::size_t visible = request.statement.returns_rows && request.prepared != nullptr && request.prepared->description
                                    ? request.prepared->description->fields.size() : 0;
    // The simple protocol wants text for all columns; otherwise those of the client follow in its formats.
    const ShardFormats formats{.visible = visible, .leading_text = request.simple() ? 0 : count};
    put_statement(*leader, session.core(), request, plan.leader_sql, formats);
    co_await leader->connection().write();
    ShardReply reply(*leader);
    std::vector<std::string> rows;
    co_await reply.collect(rows);
    if (reply.error()) throw_shard_error(session, session.home(), *reply.error());
    for (const std::string& notice : reply.notices) session.client().out() += notice;
    if (request.statement.returns_rows && request.simple()) {
        wire::write_row_description(session.answer(), {reply.fields().begin() + static_cast<std::ptrdiff_t>(count), reply.fields().end()});
    }
    std::string values;
    std::string rest;
    for (const std::string& row : rows) {
        values += (values.empty() ? "" : ",") + take_values(row, count, rest);
        if (request.statement.returns_rows) wire::FrameWriter(session.answer(), 'D').bytes(rest);
    }
    if (!rows.empty()) co_await run_on_shards(session, session.other_shards(), plan.copy_sql + " " + values, true);
    co_return reply.tag();
}

/// The same statement on every copy; the answer is the leader's, and the copies must agree on the number of rows.
Task<std::string> write_everywhere(Session& session, const Request& request) {
    std::vector<ShardReply> replies;
    for (ShardId shard : session.core().map()->shard_ids()) {
        Participant* participant = co_await session.use_shard(shard, true);
        put_statement(*participant, session.core(), request, request.sql, {});
        co_await participant->connection().write();
        replies.emplace_back(*participant);
    }
    std::vector<std::string> rows;
    std::string tag;
    for (ShardReply& reply : replies) {
        if (reply.participant().shard() == session.home()) {
            co_await reply.collect(rows);
            tag = reply.tag();
        } else {
            co_await reply.skip_to_end();
        }
    }
    for (ShardReply& reply : replies) {
        if (reply.error()) throw_shard_error(session, reply.participant().shard(), *reply.error());
        if (reply.tag() != tag) {
            throw PgError(Error{.code = sqlstate::kInternalError,
                                .message = "copies of a reference table differ between shards",
                                .detail = "\"" + tag + "\" at home, \"" + reply.tag() + "\" on shard \"" +
                                          session.shard_name(reply.participant().shard()) + "\".",
                                .hint = "Run pgmosaic verify."});
        }
        if (request.statement.returns_rows && request.simple() && reply.participant().shard() == session.home()) {
            wire::write_row_description(session.answer(), reply.fields());
        }
    }
    for (const std::string& row : rows) wire::FrameWriter(session.answer(), 'D').bytes(row);
    co_return tag;
}

}  // namespace

Task<> execute_reference_write(Session& session, const Request& request) {
    const planner::ReferenceWrite& plan = *request.statement.reference;
    const bool own = session.ensure_transaction();
    std::string tag;
    try {
        if (!plan.lock_sql.empty()) {
            const std::vector<ShardId> leader(1, session.home());
            co_await run_on_shards(session, leader, plan.lock_sql, true);
            co_await run_on_shards(session, session.other_shards(), plan.lock_sql, true);
        }
        // No conditional expression: GCC 12 awaits both of its branches.
        if (plan.rows_from_leader) tag = co_await insert_by_leader(session, request, plan);
        else tag = co_await write_everywhere(session, request);
    } catch (const backend::ConnectionLost&) {
        session.on_connection_lost(false, false);
    }
    if (own) co_await session.commit();
    session.complete(request, std::move(tag));
}

}  // namespace pgmosaic::coordinator

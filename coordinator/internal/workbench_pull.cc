#include "coordinator/internal/workbench_pull.h"

#include <algorithm>

#include "coordinator/internal/parameter_literals.h"

namespace pgmosaic::coordinator {

using planner::Pull;

const char* const kWorkbenchSchema =
    "CREATE OR REPLACE FUNCTION pg_mosaic.open_cursors(names pg_catalog.text[], queries pg_catalog.text[]) RETURNS pg_catalog.void "
    "LANGUAGE plpgsql STABLE AS $pgm$ DECLARE cursor_name pg_catalog.refcursor; BEGIN "
    "FOR i IN 1 .. pg_catalog.cardinality(names) LOOP cursor_name := names[i]; OPEN cursor_name NO SCROLL FOR EXECUTE queries[i]; "
    "END LOOP; END $pgm$;"
    "GRANT EXECUTE ON FUNCTION pg_mosaic.open_cursors(pg_catalog.text[], pg_catalog.text[]) TO PUBLIC";

namespace {

bool is_among(const std::vector<ShardId>& shards, ShardId shard) { return std::find(shards.begin(), shards.end(), shard) != shards.end(); }

std::string cursor_name(const Pull& pull) { return "pgm_" + pull.name; }

std::string array_of(const std::vector<std::string>& values) {
    std::string sql;
    for (const std::string& value : values) sql += (sql.empty() ? "" : ",") + planner::quote_literal(value);
    return "ARRAY[" + sql + "]::pg_catalog.text[]";
}

}  // namespace

/// A server session in the middle of an answer is of no use to anybody.
WorkbenchPulls::~WorkbenchPulls() {
    if (finished_) return;
    for (ShardReply& reply : replies_) {
        if (!reply.done()) reply.participant().connection().broken = true;
    }
    // A block of ours is open on these, outside of any transaction that the session knows of.
    if (moment_ != Moment::kTransaction) return;
    for (Participant* participant : participants_) participant->connection().broken = true;
}

WorkbenchPulls::Moment WorkbenchPulls::choose_moment() const {
    const Transaction& transaction = session_.transaction();
    if (transaction.open()) {
        if (session_.isolation() != Isolation::kReadCommitted) return Moment::kSession;
        return plan_.pulls.size() > 1 ? Moment::kCursors : Moment::kStatement;
    }
    return plan_.pulls.size() > 1 ? Moment::kTransaction : Moment::kStatement;
}

std::vector<ShardId> WorkbenchPulls::shards_of(const Pull& pull) const {
    if (pull.from == Pull::From::kHome) return {session_.home()};
    return session_.core().map()->shard_ids();
}

Task<> WorkbenchPulls::begin() {
    moment_ = choose_moment();
    std::vector<ShardId> shards;
    for (const Pull& pull : plan_.pulls) {
        for (ShardId shard : shards_of(pull)) {
            if (!is_among(shards, shard)) shards.push_back(shard);
        }
    }
    std::sort(shards.begin(), shards.end());
    participants_ = co_await session_.use_shards(shards, false);
    if (moment_ == Moment::kTransaction) co_await begin_transactions();
    if (moment_ == Moment::kCursors) co_await open_cursors();
}

/// The same on all shards that take part, side by side.
Task<> WorkbenchPulls::on_all(std::string sql) {
    replies_.clear();
    for (Participant* participant : participants_) {
        wire::write_query(participant->connection().out(), sql);
        replies_.emplace_back(*participant);
        co_await participant->connection().write();
    }
    for (ShardReply& reply : replies_) co_await reply.skip_to_end();
    co_await check_errors();
}

/// One snapshot per shard for all pulls, and one moment for all shards (PROTOCOLS 2.6).
Task<> WorkbenchPulls::begin_transactions() {
    const std::string begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    co_await on_all(begin);
    if (session_.needs_window(participants_.size())) co_await open_snapshots(session_, participants_, begin, true);
}

Task<> WorkbenchPulls::open_cursors() {
    replies_.clear();
    std::vector<MomentPart> parts;
    replies_.reserve(participants_.size());
    const Request request{request_.statement, request_.sql, request_.literals};
    // OPEN … FOR EXECUTE knows no parameters of the protocol.
    ParameterLiterals parameters;
    const bool bound = request_.bind != nullptr && !request_.bind->values.empty();
    if (bound) parameters = co_await parameter_literals(session_, request_);
    for (Participant* participant : participants_) {
        std::vector<std::string> names;
        std::vector<std::string> queries;
        for (const Pull& pull : plan_.pulls) {
            if (!is_among(shards_of(pull), participant->shard())) continue;
            names.push_back(cursor_name(pull));
            queries.push_back(bound ? planner::substitute_parameters(pull.shard_sql, parameters.values, parameters.types) : pull.shard_sql);
        }
        const std::string sql = "SELECT pg_mosaic.open_cursors(" + array_of(names) + "," + array_of(queries) + ")";
        parts.push_back({.reply = replies_.emplace_back(*participant), .sql = sql});
    }
    co_await send_parts(request, std::move(parts), {}, false);
    for (ShardReply& reply : replies_) co_await reply.skip_to_end();
    co_await check_errors();
}

Task<> WorkbenchPulls::send(std::size_t i) {
    const Pull& pull = plan_.pulls[i];
    const std::vector<ShardId> shards = shards_of(pull);
    replies_.clear();
    replies_.reserve(participants_.size());
    // One format for all columns: binary.
    const ShardFormats formats{.visible = 0, .hidden = 1};
    const std::string fetch = "FETCH ALL FROM \"" + cursor_name(pull) + "\"";
    const Request fetching{request_.statement, fetch, request_.literals};
    std::vector<MomentPart> parts;
    for (Participant* participant : participants_) {
        if (!is_among(shards, participant->shard())) continue;
        if (moment_ == Moment::kStatement) {
            parts.push_back({.reply = replies_.emplace_back(*participant), .sql = pull.shard_sql});
            continue;
        }
        if (moment_ == Moment::kCursors) put_statement(*participant, session_.core(), fetching, fetch, formats);
        else put_statement(*participant, session_.core(), request_, pull.shard_sql, formats);
        replies_.emplace_back(*participant);
        co_await participant->connection().write();
    }
    if (!parts.empty()) co_await send_parts(request_, std::move(parts), formats, !request_.statement.writes);
}

/// Statements whose own snapshots must be one moment.
Task<> WorkbenchPulls::send_parts(const Request& request, std::vector<MomentPart> parts, ShardFormats formats, bool may_run_twice) {
    if (session_.needs_window(parts.size())) {
        co_await send_at_one_moment(session_, request, std::move(parts), formats, may_run_twice);
        co_return;
    }
    for (MomentPart& part : parts) {
        put_statement(part.reply.participant(), session_.core(), request, part.sql, formats);
        co_await part.reply.participant().connection().write();
    }
}

/// All shards come to the ends of their answers before an error is thrown, so that the transaction can go on to a savepoint.
Task<> WorkbenchPulls::check_errors() {
    const auto failed = std::find_if(replies_.begin(), replies_.end(), [](const ShardReply& reply) { return reply.error().has_value(); });
    if (failed == replies_.end()) co_return;
    for (ShardReply& reply : replies_) co_await reply.skip_to_end();
    throw_shard_error(session_, failed->participant().shard(), *failed->error());
}

Task<> WorkbenchPulls::end() {
    if (moment_ == Moment::kTransaction) co_await on_all("COMMIT");
    if (moment_ == Moment::kCursors) {
        for (const Pull& pull : plan_.pulls) {
            replies_.clear();
            const std::vector<ShardId> shards = shards_of(pull);
            for (Participant* participant : participants_) {
                if (!is_among(shards, participant->shard())) continue;
                wire::write_query(participant->connection().out(), "CLOSE \"" + cursor_name(pull) + "\"");
                replies_.emplace_back(*participant);
                co_await participant->connection().write();
            }
            for (ShardReply& reply : replies_) co_await reply.skip_to_end();
            co_await check_errors();
        }
    }
    finished_ = true;
}

}  // namespace pgmosaic::coordinator

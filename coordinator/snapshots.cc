#include <charconv>

#include "coordinator/internal/lost_errors.h"
#include "coordinator/internal/one_moment.h"
#include "coordinator/session.h"

/// pg_export_snapshot() and SET TRANSACTION SNAPSHOT. One name stands for a snapshot of every shard, all of one moment, and says
/// all that is needed to take them up again: `1:00000003-0000001B-1,2:00000004-0000002A-1`, by the shards' numbers. So it can be
/// imported through any session, of any pgmosaic.
namespace pgmosaic::coordinator {

namespace {

using SnapshotNames = std::map<ShardId, std::string>;

Error bad_snapshot(const std::string& name) {
    return Error{.code = sqlstate::kInvalidParameterValue, .message = "invalid snapshot identifier: \"" + name + "\""};
}

std::string joined(const SnapshotNames& names) {
    std::string text;
    for (const auto& [shard, name] : names) text += (text.empty() ? "" : ",") + std::to_string(shard.value) + ":" + name;
    return text;
}

/// Errors: 22023 if it is not the name of a snapshot of all these shards.
SnapshotNames taken_apart(const std::string& text, const std::vector<ShardId>& shards) {
    SnapshotNames names;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string part = text.substr(begin, end - begin);
        const std::size_t colon = part.find(':');
        ShardId shard;
        const auto read = std::from_chars(part.data(), part.data() + std::min(colon, part.size()), shard.value);
        if (colon == std::string::npos || read.ec != std::errc{} || read.ptr != part.data() + colon) throw PgError(bad_snapshot(text));
        names[shard] = part.substr(colon + 1);
        begin = end + 1;
    }
    for (ShardId shard : shards) {
        if (!names.contains(shard)) throw PgError(bad_snapshot(text));
    }
    if (names.size() != shards.size()) throw PgError(bad_snapshot(text));
    return names;
}

/// The single value of the single row.
std::string value_of(const std::vector<std::string>& rows) {
    PGM_CHECK(rows.size() == 1, "a function without a set gives one row");
    wire::Reader reader(rows.front());
    reader.int16();
    const std::int32_t length = reader.int32();
    return std::string(reader.bytes(static_cast<std::size_t>(std::max(length, 0))));
}

Task<SnapshotNames> export_on(Session& session, const Request& request, const std::vector<Participant*>& participants) {
    const std::string sql = "SELECT pg_catalog.pg_export_snapshot()";
    const Request asking{request.statement, sql, request.literals};
    std::vector<ShardReply> replies;
    replies.reserve(participants.size());
    std::vector<MomentPart> parts;
    for (Participant* participant : participants) parts.push_back({.reply = replies.emplace_back(*participant), .sql = sql});
    const bool window = session.needs_window(parts.size());
    if (window) {
        co_await send_at_one_moment(session, asking, std::move(parts), {}, false);
    } else {
        for (Participant* participant : participants) {
            put_statement(*participant, session.core(), asking, sql, {});
            co_await participant->connection().write();
        }
    }
    SnapshotNames names;
    for (ShardReply& reply : replies) {
        std::vector<std::string> rows;
        co_await reply.collect(rows);
        if (!reply.error()) names[reply.participant().shard()] = value_of(rows);
    }
    for (ShardReply& reply : replies) {
        if (reply.error()) throw_shard_error(session, reply.participant().shard(), *reply.error());
    }
    co_return names;
}

}  // namespace

Task<> Session::export_snapshot(const Request& request) {
    SnapshotNames names;
    try {
        const auto participants = co_await use_shards(core_.map()->shard_ids(), false);
        names = co_await export_on(*this, request, participants);
    } catch (const backend::ConnectionLost&) {
        on_connection_lost(false, false);
    }
    release_statement_leases();
    answer_own_row(request, joined(names));
    wire::write_command_complete(answer(), "SELECT 1");
}

/// Every shard takes up its snapshot now: they are the transaction's one moment. The servers judge whether it is not too late.
Task<> Session::import_snapshot(const std::string& text) {
    const std::vector<ShardId> shards = core_.map()->shard_ids();
    if (!transaction_.open()) {
        // PostgreSQL's own words.
        throw PgError(Error{.code = sqlstate::kFeatureNotSupported,
                            .message = "a snapshot-importing transaction must have isolation level SERIALIZABLE or REPEATABLE READ"});
    }
    const SnapshotNames names = taken_apart(text, shards);
    const Using using_no_snapshot(*this, Use::kNoSnapshot);
    try {
        const auto participants = co_await use_shards(shards, false);
        for (Participant* participant : participants) {
            wire::write_query(participant->connection().out(),
                              "SET TRANSACTION SNAPSHOT " + planner::quote_literal(names.at(participant->shard())));
            co_await participant->connection().write();
        }
        std::optional<Error> failure;
        for (Participant* participant : participants) {
            ShardReply reply(*participant);
            co_await reply.skip_to_end();
            if (reply.error() && !failure) failure = *reply.error();
        }
        if (failure && failure->code == sqlstate::kInvalidParameterValue) failure = bad_snapshot(text);
        if (failure) throw PgError(*failure);
    } catch (const backend::ConnectionLost&) {
        on_connection_lost(false, false);
    }
    transaction_.moment_open = true;
    wire::write_command_complete(answer(), "SET");
}

}  // namespace pgmosaic::coordinator

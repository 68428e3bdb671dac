#include "coordinator/internal/one_moment.h"

#include <algorithm>

namespace pgmosaic::coordinator {

namespace {

Error no_moment() {
    return Error{.code = sqlstate::kCannotConnectNow,
                 .message = "the shards could not be read at one moment",
                 .detail = "One of them took too long to begin.",
                 .hint = "Try again, or SET mosaic.consistency = eventual."};
}

std::vector<ShardId> shards_of(const std::vector<MomentPart>& parts) {
    std::vector<ShardId> shards;
    for (const MomentPart& part : parts) shards.push_back(part.reply.participant().shard());
    return shards;
}

bool any_error(const std::vector<MomentPart>& parts) {
    for (const MomentPart& part : parts) {
        if (part.reply.error()) return true;
    }
    return false;
}

/// A statement in its steps, on all its shards.
class Steps {
   public:
    Steps(Session& session, const Request& request, std::vector<MomentPart>& parts, const ShardFormats& formats)
        : session_(session), request_(request), parts_(parts), formats_(formats), names_(parts.size()), parses_(parts.size(), 0) {}

    /// Parse where it is needed, and what waits in front of it. Locks are waited for here.
    Task<> parse() {
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            std::string& out = connection(i).out();
            const std::size_t before = out.size();
            names_[i] = put_parse(parts_[i].reply.participant(), session_.core(), request_, parts_[i].sql, session_.environment().fingerprint);
            if (out.size() > before) parses_[i] = 1;
            if (out.empty()) continue;
            wire::write_flush(out);
            co_await connection(i).write();
        }
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            co_await parts_[i].reply.until_bound(parses_[i], 0);
            // It does not know the name after all.
            if (parts_[i].reply.error() && parses_[i] > 0) forget(i);
        }
    }

    Task<> bind(bool execute_too) {
        ++binds_;
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            put_bind(parts_[i].reply.participant(), request_, names_[i], formats_);
            wire::write_flush(connection(i).out());
            if (execute_too) put_execution(parts_[i].reply.participant());
            co_await connection(i).write();
        }
        for (const MomentPart& part : parts_) co_await part.reply.until_bound(0, binds_);
    }

    /// Everything from the beginning: the answers so far are of several moments. False: they tell of an error, which is no matter of that.
    Task<bool> run_again() {
        for (const MomentPart& part : parts_) co_await part.reply.skip_to_end();
        if (any_error(parts_)) co_return false;
        for (const MomentPart& part : parts_) part.reply.restart();
        binds_ = 0;
        // Sync may have given the locks back: a Parse takes them again, outside of the window, also for a statement with a name.
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            put_unnamed_parse(parts_[i].reply.participant(), request_, parts_[i].sql);
            wire::write_flush(connection(i).out());
            co_await connection(i).write();
        }
        for (const MomentPart& part : parts_) co_await part.reply.until_bound(1, 0);
        co_return true;
    }

    Task<> execute() {
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            put_execution(parts_[i].reply.participant());
            co_await connection(i).write();
        }
    }

    /// Somebody has failed: the others end here.
    Task<> end() {
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            wire::write_sync(connection(i).out());
            co_await connection(i).write();
        }
    }

   private:
    backend::Connection& connection(std::size_t i) { return parts_[i].reply.participant().connection(); }
    void forget(std::size_t i) {
        std::erase_if(connection(i).prepared, [&](const auto& entry) { return entry.second == names_[i]; });
    }

    Session& session_;
    const Request& request_;
    std::vector<MomentPart>& parts_;
    const ShardFormats& formats_;
    std::vector<std::string> names_;
    std::vector<int> parses_;
    int binds_ = 0;
};

bool any_failed(const std::vector<ShardReply>& replies) {
    return std::any_of(replies.begin(), replies.end(), [](const ShardReply& reply) { return reply.error().has_value(); });
}

/// A portal with a name, in its steps.
class PortalSteps {
   public:
    PortalSteps(std::vector<ShardReply>& replies, const NamedPortal& portal) : replies_(replies), portal_(portal) {}

    /// Parse, behind what waits in front of it. Locks are waited for here.
    Task<> parse() {
        for (ShardReply& reply : replies_) {
            put_parse_of(reply);
            wire::write_flush(reply.participant().connection().out());
            co_await reply.participant().connection().write();
        }
        for (ShardReply& reply : replies_) co_await reply.until_bound(1, 0);
    }

    Task<> bind() {
        for (ShardReply& reply : replies_) {
            std::string& out = reply.participant().connection().out();
            // Bound too late for a window: in its place comes another.
            if (binds_ > 0) wire::write_close(out, 'P', portal_.name);
            put_bind_of(reply);
            wire::write_flush(out);
            co_await reply.participant().connection().write();
        }
        ++binds_;
        for (ShardReply& reply : replies_) co_await reply.until_bound(0, binds_);
    }

    Task<> end() {
        for (ShardReply& reply : replies_) {
            wire::write_sync(reply.participant().connection().out());
            co_await reply.participant().connection().write();
        }
        for (ShardReply& reply : replies_) co_await reply.skip_to_end();
    }

    /// No moment is asked for: no step waits for another.
    Task<> all_at_once() {
        for (ShardReply& reply : replies_) {
            put_parse_of(reply);
            put_bind_of(reply);
        }
        co_await end();
    }

   private:
    void put_parse_of(ShardReply& reply) {
        backend::Connection& connection = reply.participant().connection();
        wire::write_parse(connection.out(), "", portal_.sql, portal_.types);
        connection.unnamed_statement = 0;
    }
    void put_bind_of(ShardReply& reply) {
        wire::FrameWriter(reply.participant().connection().out(), 'B').cstring(portal_.name).cstring("").bytes(portal_.bind_tail);
    }

    std::vector<ShardReply>& replies_;
    const NamedPortal& portal_;
    int binds_ = 0;
};

Task<> restart(const std::vector<Participant*>& participants, std::string begin_sql) {
    for (Participant* participant : participants) {
        const auto result = co_await backend::run_query(participant->connection(), "ROLLBACK;" + begin_sql, Deadline::never());
        if (!result) throw PgError(result.error());
    }
}

/// A snapshot that waits for no lock: it reads no table.
Task<> take_snapshots(Session& session, std::vector<ShardReply>& replies) {
    for (ShardReply& reply : replies) {
        wire::write_query(reply.participant().connection().out(), "SELECT 1");
        co_await reply.participant().connection().write();
    }
    for (ShardReply& reply : replies) co_await reply.skip_to_end();
    for (ShardReply& reply : replies) {
        if (reply.error()) throw_shard_error(session, reply.participant().shard(), *reply.error());
    }
}

}  // namespace

Task<> send_at_one_moment(Session& session, const Request& request, std::vector<MomentPart> parts, ShardFormats formats, bool may_run_twice) {
    const Deadline deadline = session.wait_deadline();
    Steps steps(session, request, parts, formats);
    co_await steps.parse();
    if (may_run_twice && !any_error(parts)) {
        moment::Hold window = co_await session.open_window(shards_of(parts), deadline);
        co_await steps.bind(true);
        const bool done = window.leave();
        // An error has nothing to do with the moment.
        if (done || any_error(parts)) co_return;
        const bool again = co_await steps.run_again();
        if (!again) co_return;
    }
    bool in_time = false;
    while (!in_time && !any_error(parts)) {
        moment::Hold window = co_await session.open_window(shards_of(parts), deadline);
        co_await steps.bind(false);
        in_time = window.leave();
        // The portals that were bound too late are replaced; their locks are ours now, so the next time is short.
        if (!in_time && deadline.passed()) throw PgError(no_moment());
    }
    if (any_error(parts)) co_await steps.end();
    else co_await steps.execute();
}

Task<> open_portals(Session& session, std::vector<ShardReply>& replies, NamedPortal portal) {
    const Deadline deadline = session.wait_deadline();
    std::vector<ShardId> shards;
    for (ShardReply& reply : replies) shards.push_back(reply.participant().shard());
    PortalSteps steps(replies, portal);
    if (!portal.at_one_moment) {
        co_await steps.all_at_once();
        co_return;
    }
    co_await steps.parse();
    bool in_time = false;
    while (!in_time && !any_failed(replies)) {
        moment::Hold window = co_await session.open_window(shards, deadline);
        co_await steps.bind();
        in_time = window.leave();
        if (!in_time && deadline.passed()) throw PgError(no_moment());
    }
    co_await steps.end();
}

Task<> open_snapshots(Session& session, const std::vector<Participant*>& participants, std::string begin_sql, bool may_begin_again) {
    const Deadline deadline = session.wait_deadline();
    std::vector<ShardId> shards;
    for (Participant* participant : participants) {
        shards.push_back(participant->shard());
        if (!participant->connection().out().empty()) co_await participant->connection().write();
    }
    for (Participant* participant : participants) co_await session.settle_prelude(*participant);
    while (true) {
        std::vector<ShardReply> replies;
        moment::Hold window = co_await session.open_window(shards, deadline);
        for (Participant* participant : participants) replies.emplace_back(*participant);
        co_await take_snapshots(session, replies);
        const bool in_time = window.leave();
        if (in_time) co_return;
        if (deadline.passed()) throw PgError(no_moment());
        if (!may_begin_again) {
            throw PgError(Error{.code = sqlstate::kSerializationFailure,
                                .message = "could not open one snapshot on all shards in time",
                                .hint = "Run the transaction again."});
        }
        co_await restart(participants, begin_sql);
    }
}

}  // namespace pgmosaic::coordinator

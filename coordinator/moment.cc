#include <algorithm>

#include "coordinator/internal/one_moment.h"
#include "coordinator/login.h"
#include "coordinator/session.h"

/// A session's part in the one moment: PROTOCOLS 2.
namespace pgmosaic::coordinator {

namespace {

bool says_eventual(const std::string& sql) { return sql.find("eventual") != std::string::npos; }

}  // namespace

bool Session::one_moment() const {
    // Its value was checked when it was set, so one word is enough to tell.
    const auto& locals = transaction_.local_settings();
    const auto local = std::find_if(locals.rbegin(), locals.rend(), [](const std::string& sql) { return lower(sql).find("mosaic.consistency") != std::string::npos; });
    if (local != locals.rend()) return !says_eventual(lower(*local));
    const auto setting = std::find_if(settings_->values.begin(), settings_->values.end(),
                                      [](const Setting& each) { return each.name == "mosaic.consistency"; });
    return setting == settings_->values.end() || !says_eventual(lower(setting->sql));
}

Session::Use Session::use_of(const planner::Statement& statement) {
    using planner::Command;
    switch (statement.command) {
        case Command::kTransaction:
        case Command::kSet:
        case Command::kReset:
        case Command::kShow:
        case Command::kDiscard:
        case Command::kPrepare:
        case Command::kDeallocate:
        case Command::kClose:
        case Command::kListen:
        case Command::kUnlisten:
        case Command::kNotify:
        case Command::kLock: return Use::kNoSnapshot;
        default: break;
    }
    const bool definition = statement.plan == planner::PlanKind::kBroadcast || statement.plan == planner::PlanKind::kAdmin;
    return definition ? Use::kCatalog : Use::kStatement;
}

bool Session::needs_window(std::size_t shards) const {
    if (shards < 2 || !one_moment()) return false;
    return !(transaction_.open() && transaction_.moment_open);
}

Task<moment::Hold> Session::open_window(std::vector<ShardId> shards, Deadline deadline) {
    co_return co_await database_->moment().open(std::move(shards), deadline, &cancelled_);
}

Task<> Session::door() {
    if (!database_->moment().door_closed()) co_return;
    co_await database_->moment().pass(wait_deadline());
}

bool Session::lacks_moment() const {
    if (use_ == Use::kNoSnapshot || transaction_.moment_open || isolation() != Isolation::kRepeatableRead) return false;
    return core_.map()->shards().size() > 1 && one_moment();
}

/// The one snapshot of a REPEATABLE READ transaction is taken on all shards at its first statement, whichever shard that is for.
Task<> Session::open_moment() {
    const std::vector<ShardId> shards = core_.map()->shard_ids();
    const Using using_no_snapshot(*this, Use::kNoSnapshot);
    std::vector<Participant*> participants;
    bool lost = false;
    std::optional<Error> failure;
    try {
        participants = co_await use_shards(shards, false);
        const bool wrote = transaction_.writers() > 0;
        if (transaction_.moment_tried) {
            // An earlier try left snapshots of other moments behind: a savepoint brought the transaction back from it.
            throw PgError(Error{.code = sqlstate::kSerializationFailure,
                                .message = "could not open one snapshot on all shards",
                                .hint = "Run the transaction again."});
        }
        transaction_.moment_tried = true;
        co_await open_snapshots(*this, participants, transaction_.join_sql(), !wrote);
        transaction_.moment_open = true;
    } catch (const backend::ConnectionLost&) {
        lost = true;
    } catch (const PgError& error) {
        failure = error.error();
    }
    if (lost) on_connection_lost(false, false);
    if (failure) throw PgError(*failure);
}

}  // namespace pgmosaic::coordinator

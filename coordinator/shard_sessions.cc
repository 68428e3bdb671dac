#include <algorithm>
#include <atomic>

#include "coordinator/internal/lost_errors.h"
#include "coordinator/session.h"

/// The session's own sessions on the shards: leased for a statement or a transaction, or kept.
namespace pgmosaic::coordinator {

Task<backend::Lease> Session::lease(ShardId shard) {
    backend::Lease lease = core_.pool().try_acquire(shard, database_name_, user_, state_);
    if (lease) co_return std::move(lease);
    const backend::Applicant applicant{.owner = state_, .holds_locks = transaction_.writers() > 0, .cancelled = &cancelled_};
    lease = co_await core_.pool().acquire(shard, database_name_, user_, applicant);
    co_return std::move(lease);
}

Participant* Session::try_use_shard(ShardId shard, bool writes) {
    Participant* participant = nullptr;
    if (transaction_.open()) {
        if (lacks_moment()) return nullptr;
        participant = transaction_.find(shard);
        if (participant == nullptr) return nullptr;
    } else {
        if (writes && database_->moment().door_closed()) return nullptr;
        const auto found = statement_leases_.find(shard);
        if (found != statement_leases_.end()) {
            found->second.wrote = found->second.wrote || writes;
            return &found->second;
        }
        if (!pinned_.empty() || keeps_servers_) return nullptr;
        backend::Lease lease = core_.pool().try_acquire(shard, database_name_, user_, state_);
        if (!lease) return nullptr;
        participant = &statement_leases_[shard];
        participant->lease = std::move(lease);
        participant->wrote = writes;
    }
    return used(*participant, shard, writes);
}

Participant* Session::used(Participant& participant, ShardId shard, bool writes) {
    if (use_ == Use::kStatement) {
        if (transaction_.open()) refuse_second_shard(shard);
        participant.read = true;
    }
    participant.wrote = participant.wrote || writes;
    put_prelude(participant);
    return &participant;
}

Task<Participant*> Session::use_shard(ShardId shard, bool writes) {
    if (transaction_.open() && lacks_moment()) co_await open_moment();
    if (!transaction_.open() && writes) co_await door();
    Participant* participant = try_use_shard(shard, writes);
    if (participant != nullptr) co_return participant;
    if (keeps_servers_) co_await keep(shard);
    if (transaction_.open()) {
        if (use_ == Use::kStatement) refuse_second_shard(shard);
        participant = co_await join(shard);
    } else {
        const auto pinned = pinned_.find(shard);
        backend::Lease fresh;
        if (pinned == pinned_.end()) fresh = co_await lease(shard);
        participant = &statement_leases_[shard];
        if (!participant->lease) participant->lease = std::move(fresh);
        if (pinned != pinned_.end()) participant->pinned = &pinned->second;
        participant->wrote = writes;
    }
    co_return used(*participant, shard, writes);
}

void Session::refuse_second_shard(ShardId shard) const {
    if (isolation() != Isolation::kSerializable) return;
    for (const auto& [other, participant] : transaction_.participants()) {
        if (other == shard || !participant.read) continue;
        throw PgError(refusal("a SERIALIZABLE transaction cannot span several shards",
                              "The isolation level cannot be kept across servers.", "Use REPEATABLE READ, or keep to one key."));
    }
}

Task<Participant*> Session::join(ShardId shard) {
    const auto pinned = pinned_.find(shard);
    backend::Lease fresh;
    if (pinned == pinned_.end()) fresh = co_await lease(shard);
    Participant& participant = transaction_.add(shard, std::move(fresh));
    if (pinned != pinned_.end()) participant.pinned = &pinned->second;
    co_return &participant;
}

/// What another client's functions and sequences may have left there ends. Plans of functions stay, which DISCARD ALL would drop.
void Session::put_reset(Participant& participant) {
    backend::Connection& connection = participant.connection();
    wire::write_query(connection.out(),
                      "RESET SESSION AUTHORIZATION;RESET ALL;CLOSE ALL;UNLISTEN *;DEALLOCATE ALL;DISCARD TEMP;DISCARD SEQUENCES;"
                      "SELECT pg_catalog.pg_advisory_unlock_all()");
    ++participant.ready_to_skip;
    connection.owner = 0;
    connection.ran_user_code = false;
    connection.prepared.clear();
    connection.unnamed_statement = 0;
    connection.settings.reset();
    connection.fresh = true;
}

/// By the key of a row: sequences give nothing there.
bool runs_on_shards(const planner::Statement& statement) {
    using planner::PlanKind;
    const bool by_key = statement.plan == PlanKind::kRoute && statement.route.where == planner::Route::Where::kKey;
    return by_key || statement.plan == PlanKind::kInsert || statement.plan == PlanKind::kScatter;
}

/// A number that no other client's state has.
void Session::note_state(const planner::Statement& statement, backend::Connection& connection) {
    if (statement.moves_sequences) sequences_.moved_at_home(statement.moved_sequences);
    if (statement.runs_user_code && !runs_on_shards(statement)) sequences_.ran_code_at_home();
    if (!statement.runs_user_code && !statement.moves_sequences && !statement.reads_sequences) return;
    static std::atomic<std::uint64_t> last{0};
    if (state_ == 0) state_ = ++last;
    connection.owner = state_;
    connection.ran_user_code = connection.ran_user_code || statement.runs_user_code;
}

void Session::forget_state() {
    sequences_ = {};
    if (state_ == 0) return;
    core_.pool().forget_owner(state_);
    for (auto& [shard, lease] : pinned_) {
        if (lease->owner == state_) lease->owner = 0;
    }
    for (auto& [shard, participant] : transaction_.participants()) {
        if (participant.connection().owner == state_) participant.connection().owner = backend::Connection::kOwnerGone;
    }
    state_ = 0;
}

/// What is neither one server's nor evaluated first would be told by the home shard's session alone.
void Session::check_sequences(const planner::Statement& statement) const {
    const bool looks = statement.lifts_reads || statement.plan == planner::PlanKind::kRoute;
    if (!statement.reads_sequences || looks || sequences_.at_home()) return;
    throw PgError(refusal("cannot tell currval() or lastval() here after rows were inserted into a sharded table",
                          "Their sequences' values were handed out before the rows were sent to their shards.",
                          "Select them in a statement of their own."));
}

/// Puts in front of the statement what the server session lacks: the client's settings, BEGIN, savepoints.
void Session::put_prelude(Participant& participant) {
    backend::Connection& connection = participant.connection();
    if (connection.broken) throw PgError(participant.pinned == nullptr ? loss_error() : session_state_lost());
    if (connection.owner != 0 && connection.owner != state_ && !participant.began) put_reset(participant);
    const bool begins = transaction_.open() && !participant.began;
    if (connection.settings != settings_ && (!transaction_.open() || begins)) {
        const auto* known = connection.settings ? static_cast<const SettingsState*>(connection.settings.get())
                            : connection.fresh ? core_.settings().empty().get() : nullptr;
        const std::string change = settings_change(known, *settings_);
        if (!change.empty()) {
            wire::write_query(connection.out(), change);
            ++participant.ready_to_skip;
        }
        connection.settings = settings_;
    }
    connection.fresh = false;
    if (!begins) return;
    wire::write_query(connection.out(), transaction_.join_sql());
    ++participant.ready_to_skip;
    participant.began = true;
    participant.settings_before = settings_;
}

Task<std::vector<Participant*>> Session::use_shards(const std::vector<ShardId>& shards, bool writes) {
    if (shards.size() > 1 && !transaction_.open() && isolation() == Isolation::kSerializable) {
        throw PgError(refusal("a SERIALIZABLE statement cannot span several shards",
                              "The isolation level cannot be kept across servers.",
                              "SET default_transaction_isolation TO 'repeatable read' or 'read committed'."));
    }
    std::vector<Participant*> participants;
    for (ShardId shard : shards) participants.push_back(co_await use_shard(shard, writes));
    co_return participants;
}

Task<> Session::settle_prelude(Participant& participant) {
    if (participant.ready_to_skip == 0) co_return;
    start_relay(participant);
    co_await relay_.drain(participant.connection(), client_);
    if (relay_.failed()) throw PgError(relay_.error());
}

void Session::release_statement_leases() { statement_leases_.clear(); }

bool Session::ensure_transaction(std::string begin_sql) {
    if (transaction_.open()) return false;
    release_statement_leases();
    transaction_.begin(Transaction::Mode::kImplicit, std::move(begin_sql), settings_);
    return true;
}

/// The session keeps this shard's server session to its end.
Task<> Session::pin(ShardId shard) {
    kept_.erase(shard);
    if (pinned_.contains(shard)) co_return;
    if (Participant* participant = transaction_.find(shard)) {
        backend::Lease& kept = pinned_[shard];
        kept = std::move(participant->lease);
        participant->pinned = &kept;
        co_return;
    }
    backend::Lease fresh = co_await lease(shard);
    pinned_[shard] = std::move(fresh);
}

/// Nothing is left on its server session that would have to stay with this client: it goes back to the pool.
Task<> Session::unpin_if_free(ShardId shard) {
    const auto pinned = pinned_.find(shard);
    if (pinned == pinned_.end() || transaction_.open()) co_return;
    const auto free = co_await backend::run_query(
        *pinned->second,
        "SELECT pg_catalog.pg_my_temp_schema() = 0 "
        "AND NOT EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_catalog.pg_backend_pid()) "
        "AND NOT EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable) "
        "AND NOT EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE name !~ '^pgm[0-9]+$')",
        Deadline::after(10s));
    if (free && free->scalar() == "t") pinned_.erase(shard);
}

Task<backend::QueryResult> Session::query_shard(ShardId shard, std::string sql, bool writes) {
    Participant* participant = co_await use_shard(shard, writes);
    backend::Connection& connection = participant->connection();
    co_await settle_prelude(*participant);
    auto result = co_await backend::run_query(connection, sql, Deadline::never());
    if (!result && connection.broken) throw backend::ConnectionLost(result.error());
    if (!result) throw PgError(result.error());
    co_return std::move(*result);
}

Task<backend::QueryResult> Session::query_service(ShardId shard, std::string sql, std::string database) {
    // A name of its own: GCC 12 destroys the temporary of a conditional expression twice in a co_await.
    const std::string where = database.empty() ? database_name_ : database;
    co_return co_await service_query(core_, shard, where, std::move(sql));
}

Task<backend::QueryResult> service_query(Core& core, ShardId shard, std::string database, std::string sql) {
    backend::Lease lease = co_await core.service_pool().acquire(shard, database, core.cluster().options().service_user);
    auto result = co_await backend::run_query(*lease, sql, Deadline::after(60s));
    if (!result) {
        lease.discard();
        throw PgError(result.error());
    }
    co_return std::move(*result);
}

}  // namespace pgmosaic::coordinator

#include <algorithm>
#include <charconv>

#include "coordinator/execute.h"
#include "coordinator/internal/fixed_time.h"
#include "coordinator/internal/lost_errors.h"
#include "coordinator/session.h"
#include "planner/plan_details.h"
#include "shardmap/hash.h"
#include "shardmap/key_types.h"

namespace pgmosaic::coordinator {

using planner::Command;
using planner::PlanKind;
using planner::TransactionVerb;

void Session::check_not_failed() const {
    if (!transaction_.failed()) return;
    throw PgError(Error{.code = sqlstate::kInFailedSqlTransaction,
                        .message = "current transaction is aborted, commands ignored until end of transaction block"});
}

void Session::check_statement(const planner::Statement& statement) const {
    const bool ends = statement.verb == TransactionVerb::kCommit || statement.verb == TransactionVerb::kRollback ||
                      statement.verb == TransactionVerb::kRollbackTo || statement.verb == TransactionVerb::kPrepareTransaction;
    if (!ends) check_not_failed();
    if (statement.plan == PlanKind::kRefuse) throw PgError(*statement.refusal);
    if (statement.needs_no_transaction && transaction_.open()) {
        const std::string what = statement.tag.empty() ? "this command" : statement.tag;
        throw PgError(Error{.code = sqlstate::kActiveSqlTransaction,
                            .message = what + " cannot run inside a transaction block"});
    }
}

/// One statement of either protocol, whatever its plan.
Task<> Session::run_statement(const Request& request) {
    check_statement(request.statement);
    bound_statement();
    const Using use(*this, use_of(request.statement));
    if (request.statement.plan == PlanKind::kRoute) {
        std::optional<ShardId> shard;
        const planner::Statement& statement = effective(request.statement, request, shard);
        if (shard) {
            if (planner::explains_route(statement)) co_await execute_explain(*this, request);
            else co_await run_route(request, *shard);
            co_return;
        }
        check_statement(statement);
        co_await run_plan(Request{statement, request.sql, request.literals, request.bind, request.prepared, request.alone});
        co_return;
    }
    co_await run_plan(request);
}

/// The route's shard, or the plan that holds where the keys do not meet on one.
const planner::Statement& Session::effective(const planner::Statement& statement, const Request& request,
                                             std::optional<ShardId>& shard) {
    const planner::Statement* current = &statement;
    while (current->plan == PlanKind::kRoute) {
        shard = resolve(current->route, request);
        if (shard) return *current;
        PGM_CHECK(current->route.otherwise != nullptr, "a route whose keys may disagree says what to do then");
        current = current->route.otherwise.get();
    }
    return *current;
}

Task<> Session::run_plan(const Request& request) {
    if (request.statement.command == Command::kExplain && request.statement.plan != PlanKind::kRoute) {
        co_await execute_explain(*this, request);
        co_return;
    }
    if (request.statement.command == Command::kDeclare && request.statement.plan != PlanKind::kRoute) {
        co_await declare_cursor(request);
        co_return;
    }
    if (FixedTime::is_wanted(*this, request)) {
        FixedTime fixed(*this, request);
        co_await fixed.read();
        const Request at_that_time = fixed.request();
        co_await run_statement(at_that_time);
        co_return;
    }
    switch (request.statement.plan) {
        case PlanKind::kLocal: co_await run_local(request); break;
        case PlanKind::kRoute: {
            std::optional<ShardId> shard;
            effective(request.statement, request, shard);
            co_await run_route(request, *shard);
            break;
        }
        case PlanKind::kScatter: co_await execute_scatter(*this, request); break;
        case PlanKind::kWorkbench: co_await execute_workbench(*this, request); break;
        case PlanKind::kInsert: co_await execute_insert(*this, request); break;
        case PlanKind::kReferenceWrite: co_await execute_reference_write(*this, request); break;
        case PlanKind::kBroadcast: co_await execute_broadcast(*this, request); break;
        case PlanKind::kCopyIn: co_await execute_copy_in(*this, request); break;
        case PlanKind::kCopyOut: co_await execute_copy_out(*this, request); break;
        case PlanKind::kAdmin: co_await execute_admin(*this, request); break;
        case PlanKind::kRefuse: throw PgError(*request.statement.refusal);
    }
}

// ---------------------------------------------------------------- keys

std::optional<ShardId> Session::shard_of_value(GroupId group, Oid key_type, const planner::ValueRef& value,
                                               const Request& request) const {
    using From = planner::ValueRef::From;
    std::optional<Bucket> bucket;
    if (value.from == From::kParameter) {
        if (request.bind == nullptr || value.index == 0 || value.index > request.bind->values.size()) return std::nullopt;
        const auto& [data, length] = request.bind->values[value.index - 1];
        if (length < 0) return any_owner(group);  // NULL equals nothing: every shard gives the same answer
        const std::string_view bytes(data, static_cast<std::size_t>(length));
        const auto& described = request.prepared->description;
        const Oid type = described && value.index <= described->parameters.size() ? described->parameters[value.index - 1] : 0;
        if (request.bind->parameter_format(value.index - 1) == wire::Format::kBinary) {
            if (type == 0) return std::nullopt;
            bucket = shardmap::bucket_of_binary(key_type, type, bytes);
        } else {
            if (type != 0 && shardmap::key_family(key_type) != shardmap::key_family(type)) return std::nullopt;
            bucket = shardmap::bucket_of_text(key_type, bytes);
        }
        if (!utf8_ && !is_ascii(bytes)) return std::nullopt;
    } else {
        const planner::Literal& literal = value.from == From::kLiteral ? request.literals[value.index] : value.constant;
        if (literal.kind == planner::Literal::Kind::kNull) return any_owner(group);
        if (!utf8_ && !is_ascii(literal.value)) return std::nullopt;
        if (literal.negative) {
            bucket = shardmap::bucket_of_text(key_type, "-" + literal.value);
        } else {
            bucket = shardmap::bucket_of_text(key_type, literal.value);
        }
    }
    if (!bucket) return std::nullopt;
    return core_.map()->owner(group, *bucket);
}

bool Session::is_ascii(std::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
}

ShardId Session::any_owner(GroupId group) const { return core_.map()->owner(group, Bucket{0}); }

std::optional<std::vector<ShardId>> Session::shards_of(GroupId group, Oid key_type, const planner::KeyAlternatives& key,
                                                       const Request& request) const {
    std::vector<ShardId> shards;
    for (const planner::ValueRef& value : key) {
        const auto shard = shard_of_value(group, key_type, value, request);
        if (!shard) return std::nullopt;
        if (std::find(shards.begin(), shards.end(), *shard) == shards.end()) shards.push_back(*shard);
    }
    std::sort(shards.begin(), shards.end());
    return shards;
}

std::vector<ShardId> Session::shards_of(const planner::Scatter& scatter, const Request& request) const {
    std::vector<ShardId> all = core_.map()->shard_ids();
    for (const planner::KeyAlternatives& key : scatter.prune) {
        const auto owners = shards_of(scatter.group, scatter.key_type, key, request);
        if (!owners) continue;
        std::vector<ShardId> both;
        std::set_intersection(all.begin(), all.end(), owners->begin(), owners->end(), std::back_inserter(both));
        all = std::move(both);
    }
    // No shard can have a row: one of them says so in PostgreSQL's words.
    if (all.empty()) all.push_back(home());
    return all;
}

std::optional<ShardId> Session::resolve(const planner::Route& route, const Request& request) const {
    using Where = planner::Route::Where;
    if (route.where == Where::kHome) return home();
    if (route.where == Where::kAny) {
        const auto& participants = transaction_.participants();
        return participants.empty() || participants.contains(home()) ? home() : participants.begin()->first;
    }
    std::optional<ShardId> shard;
    for (const planner::KeyAlternatives& key : route.keys) {
        for (const planner::ValueRef& value : key) {
            const auto owner = shard_of_value(route.group, route.key_type, value, request);
            if (!owner || (shard && *shard != *owner)) return std::nullopt;
            shard = owner;
        }
    }
    if (route.needs_home && shard && *shard != home()) return std::nullopt;
    return shard;
}

std::optional<std::int64_t> Session::count_of(const planner::CountRef& count, const Request& request) const {
    if (!count) return std::nullopt;
    using From = planner::ValueRef::From;
    std::string text;
    if (count->from == From::kParameter) {
        const auto& [data, length] = request.bind->values.at(count->index - 1);
        if (length < 0) return std::nullopt;
        text.assign(data, static_cast<std::size_t>(length));
        if (request.bind->parameter_format(count->index - 1) == wire::Format::kBinary) {
            std::int64_t value = 0;
            for (std::size_t i = 0; i < text.size(); ++i) {
                value = i == 0 ? static_cast<signed char>(text[0]) : (value << 8) | static_cast<unsigned char>(text[i]);
            }
            return value;
        }
    } else {
        const planner::Literal& literal = count->from == From::kLiteral ? request.literals[count->index] : count->constant;
        if (literal.kind == planner::Literal::Kind::kNull) return std::nullopt;
        text = (literal.negative ? "-" : "") + literal.value;
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw PgError(Error{.code = sqlstate::kInvalidTextRepresentation,
                            .message = "invalid input syntax for type bigint: \"" + text + "\""});
    }
    return value;
}

// ---------------------------------------------------------------- one shard

std::string Session::shard_context(const planner::Statement& statement, ShardId shard) const {
    if (statement.plan == PlanKind::kRoute && statement.route.where == planner::Route::Where::kHome) return {};
    if (statement.plan == PlanKind::kLocal && shard == home()) return {};
    return "shard " + shard_name(shard);
}

/// The statement goes to one shard and the answer passes through. A read that died with its server before the client saw
/// anything of it is repeated.
Task<> Session::run_route(const Request& request, ShardId shard) {
    const planner::Statement& statement = request.statement;
    std::string text;
    if (!statement.admin_views.empty()) text = co_await admin_view_sql(*this, request);
    const std::string_view sql = !text.empty() ? std::string_view(text)
                                 : statement.rewritten.empty() ? request.sql : std::string_view(statement.rewritten);
    if (statement.pins) co_await pin(shard);
    const bool token_wanted = statement.writes && !transaction_.open() && request.alone && request.simple() &&
                              statement.parameters == 0 && may_carry_token(statement);
    for (int attempt = 1;; ++attempt) {
        Lost lost{.writes = statement.writes, .answer_begin = client_.position(), .attempt = attempt};
        Participant* participant = try_use_shard(shard, statement.writes);
        if (participant == nullptr) participant = co_await use_shard(shard, statement.writes);
        lost.repeatable = participant->pinned == nullptr;
        participant->notifies = participant->notifies || announces(statement);
        const Announcement announcement = transaction_.open() ? Announcement() : announce(*participant);
        if (token_wanted) lost.token = make_token(core_, *participant);
        bool is_lost = false;
        try {
            co_await send_and_relay(request, *participant, shard, sql, lost.token);
        } catch (const backend::ConnectionLost&) {
            is_lost = true;
        }
        if (!is_lost) {
            co_await hear_announcement(announcement);
            break;
        }
        lost.answered = relay_.answered();
        const AfterLoss next = co_await after_loss(std::move(lost));
        if (next == AfterLoss::kDone) break;
    }
    const auto leased = statement_leases_.find(shard);  // none: its server was lost
    if (token_wanted && relay_.failed() && leased != statement_leases_.end()) forget_token_statement(leased->second.connection());
    if (relay_.prelude_failed()) {
        const Error error = relay_.error();
        for (auto& [id, participant] : statement_leases_) participant.connection().broken = true;
        throw PgError(error);
    }
    const bool failed = relay_.failed();
    if (!failed && statement.command == Command::kDeclare) note_server_cursor(statement, shard);
    release_statement_leases();
    if (!failed && statement.unlocks) co_await unpin_if_free(shard);
    if (!failed && statement.changes_catalog) {
        own_tables_ = own_tables_ || statement.pins;
        schema_changed();
    }
    if (failed && !ready_sent_) throw StatementFailed{};
}

Task<> Session::send_and_relay(const Request& request, Participant& participant, ShardId shard, std::string_view sql,
                               const CommitToken& token) {
    const planner::Statement& statement = request.statement;
    backend::Connection& connection = participant.connection();
    if (statement.runs_user_code) connection.dirty = true;
    start_relay(participant);
    relay_.error_context = shard_context(statement, shard);
    if (request.simple()) {
        // In autocommit the server's ReadyForQuery is the client's, too.
        const bool last = request.alone && !transaction_.open() && !statement.changes_catalog && !(participant.notifies && database_->listening > 0);
        if (token.word.empty()) {
            wire::write_query(connection.out(), sql);
            relay_.expect({.kind = Expect::Kind::kQuery, .forward_ready = last});
        } else {
            put_with_token(connection, sql, token);
            relay_.expect({.kind = Expect::Kind::kSync, .forward = false, .forward_ready = last});
        }
        co_await relay_.drain(connection, client_);
        ready_sent_ = last;
    } else {
        put_bound(connection, sql, *request.bind, request.prepared->types, false);
        relay_.expect({.kind = Expect::Kind::kParse, .forward = false});
        relay_.expect({.kind = Expect::Kind::kBind, .forward = false});
        relay_.expect({.kind = Expect::Kind::kExecute});
        relay_.expect({.kind = Expect::Kind::kSync, .forward = false});
        co_await relay_.drain(connection, client_);
    }
}

void Session::start_relay(Participant& participant) {
    relay_.reset();
    relay_.error_context.clear();
    relay_shard_ = participant.shard();
    for (; participant.ready_to_skip > 0; --participant.ready_to_skip) relay_.expect({.forward = false});
}

/// Parse, Bind, Execute and Sync of one statement without names; Describe between if wanted.
void Session::put_bound(backend::Connection& connection, std::string_view sql, const wire::Bind& bind,
                        const std::vector<Oid>& types, bool describe) {
    std::string& out = connection.out();
    wire::write_parse(out, "", sql, types);
    connection.unnamed_statement = 0;
    wire::FrameWriter(out, 'B').cstring("").cstring("").bytes(bind.tail);
    if (describe) wire::write_describe(out, 'P', "");
    wire::write_execute(out, "", 0);
    wire::write_sync(out);
}

// ---------------------------------------------------------------- server sessions

Task<backend::Lease> Session::lease(ShardId shard) {
    backend::Lease lease = core_.pool().try_acquire(shard, database_name_, user_);
    if (lease) co_return std::move(lease);
    const backend::Applicant applicant{.holds_locks = transaction_.writers() > 0, .cancelled = &cancelled_};
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
        backend::Lease lease = core_.pool().try_acquire(shard, database_name_, user_);
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

/// Puts in front of the statement what the server session lacks: the client's settings, BEGIN, savepoints.
void Session::put_prelude(Participant& participant) {
    backend::Connection& connection = participant.connection();
    if (connection.broken) throw PgError(participant.pinned == nullptr ? loss_error() : session_state_lost());
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

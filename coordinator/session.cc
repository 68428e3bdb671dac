#include "coordinator/session.h"

#include <openssl/rand.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/system/system_error.hpp>

#include "base/log.h"
#include "coordinator/background.h"
#include "coordinator/internal/function_call.h"

namespace pgmosaic::coordinator {

namespace {

/// PostgreSQL's bounds of a client message: 1 GB less a byte for those that carry data, 10,000 bytes for the others.
constexpr std::uint32_t kLargeMessageMax = 0x3FFFFFFF;
constexpr std::uint32_t kSmallMessageMax = 10000;

bool is_large(char type) { return type == 'Q' || type == 'P' || type == 'B' || type == 'd' || type == 'F'; }
bool is_known(char type) { return std::string_view("QPBDECHSXFdcf").find(type) != std::string_view::npos; }

std::uint32_t random_number() {
    std::uint32_t number = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number);
    return number;
}

}  // namespace

Session::Session(Core& core, asio::generic::stream_protocol::socket socket, ClientOrigin origin, std::uint32_t id)
    : core_(core), client_(std::move(socket)), origin_(std::move(origin)), id_(id), secret_(random_number()),
      settings_(core.settings().empty()), keeps_servers_(core.cluster().options().session_pooling), alarm_(core.executor()) {
    relay_.instead_of_cancel = &deadlock_;
    relay_.on_unreplicated = [this] { return await_replication(); };
    core_.sessions().insert(this);
    core_.count_session(1);
}

Session::~Session() {
    statement_leases_.clear();
    transaction_.end();
    forget_state();
    for (auto& [shard, lease] : pinned_) lease.discard();
    pinned_.clear();
    core_.sessions().erase(this);
    core_.count_session(-1);
}

Task<> Session::run() {
    try {
        if (co_await login()) co_await serve();
    } catch (const boost::system::system_error&) {
        // The client went away; what it had open is rolled back below.
    } catch (const PgError& error) {
        fatal(error.error());
    }
    busy_ = false;
    alarm_.stop();
    // Also a session that was told to stop tidies up.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await asio::this_coro::throw_if_cancelled(false);
    relay_.clear();
    co_await rollback();
    keep_channels({});
    leave_gate(*this);
    if (!kept_.empty()) co_await give_back_kept();
    client_.stream().try_write_quietly(client_.out());
    client_.stream().say_goodbye();
    client_.stream().shutdown();
}

Task<> Session::serve() {
    auto& input = client_.stream().input();
    while (!terminated_) {
        const std::string_view unread = input.unread();
        if (unread.size() >= wire::kHeaderBytes) check_length(unread);
        if (const auto frame = wire::next_frame(unread)) {
            busy_ = true;
            busy_since_ = Clock::now();
            consumed_ = false;
            const std::size_t bytes = frame->whole.size();
            const char type = frame->type;
            std::exception_ptr failure;
            bool handled = false;
            try {
                handled = handle_now(*frame);
            } catch (const PgError&) {
                failure = std::current_exception();
            } catch (const StatementFailed&) {
                failure = std::current_exception();
            }
            if (!handled) co_await handle(*frame, failure);
            alarm_.stop();
            if (type == 'Q' || type == 'S') leave_gate(*this);
            if (!consumed_) input.consume(bytes);
            continue;
        }
        const std::size_t whole = wire::frame_bytes(unread);
        const std::size_t want = whole > unread.size() ? whole - unread.size() : 0;
        tell_notifications();
        if (!client_.flush_now()) {
            co_await client_.flush();
            continue;  // what has come meanwhile goes, too
        }
        busy_ = pipeline_ != nullptr;
        if (stopping_ && !transaction_.open() && input.empty()) {
            fatal(Error{.code = sqlstate::kAdminShutdown,
                        .message = "terminating connection due to administrator command"});
            co_return;
        }
        if (input.empty() && !transaction_.open()) client_.rest();
        if (!busy_) bound_idling();
        co_await client_.stream().fill(want);
        alarm_.stop();
    }
}

void Session::consume_current_frame() {
    if (consumed_) return;
    auto& input = client_.stream().input();
    input.consume(wire::frame_bytes(input.unread()));
    consumed_ = true;
}

void Session::check_length(std::string_view header) const {
    const char type = header[0];
    const std::uint32_t length = wire::read_uint32(header.data() + 1);
    if (!is_known(type)) {
        throw PgError(Error{.code = sqlstate::kProtocolViolation,
                            .message = "invalid frontend message type " +
                                       std::to_string(static_cast<unsigned char>(type))});
    }
    if (length < 4 || length > (is_large(type) ? kLargeMessageMax : kSmallMessageMax)) {
        throw PgError(Error{.code = sqlstate::kProtocolViolation, .message = "invalid message length"});
    }
}

/// A cancel request, or a deadlock, that came too late for what it was meant for.
void Session::forget_last_message() {
    cancelled_ = false;
    deadlock_.reset();
}

/// `failed`: what handle_now() has thrown, which is told as if it had happened here.
Task<> Session::handle(const wire::Frame& frame, std::exception_ptr failed) {
    // After an error in a pipeline everything up to Sync is passed over.
    if (skip_until_sync_ && frame.type != 'S' && frame.type != 'X') co_return;
    std::optional<Error> failure;
    bool told = false;  // the server's own ErrorResponse has gone to the client
    const char type = frame.type;
    if (cancel_sent_) co_await settle_cancels();
    if (pipeline_ == nullptr) forget_last_message();
    try {
        if (failed) std::rethrow_exception(failed);
        // What is planned or bound from here to ReadyForQuery is counted: see admin/placement_gate.h.
        const bool plans = type == 'Q' || type == 'P' || type == 'B' || type == 'E';
        if (plans && !try_enter_gate(*this)) co_await enter_gate(*this);
        switch (frame.type) {
            case 'Q': {
                wire::Reader reader(frame.body);
                const std::string_view sql = reader.cstring();
                reader.expect_end();
                co_await simple_query(sql);
                break;
            }
            case 'P': co_await on_parse(frame.body); break;
            case 'B': co_await on_bind(frame.body); break;
            case 'D': co_await on_describe(frame.body); break;
            case 'E': co_await on_execute(frame.body); break;
            case 'C': co_await on_close(frame.body); break;
            case 'S': co_await on_sync(); break;
            case 'H': co_await on_flush(); break;
            case 'X': terminated_ = true; break;
            case 'F':
                if (pipeline_ != nullptr) co_await on_sync_pipeline(false);
                co_await call_function(*this, frame.body);
                ready();
                break;
            default: break;  // copy data that comes after a failed COPY is dropped, as PostgreSQL does
        }
    } catch (const backend::ConnectionLost& lost) {
        const bool judged = lost.error().code == sqlstate::kSerializationFailure;
        failure = judged ? lost.error() : loss_error();
    } catch (const PgError& error) {
        failure = error.error();
    } catch (const StatementFailed&) {
        told = true;
    }
    if (!failure && !told) co_return;
    if (failure && deadlock_ && failure->code == sqlstate::kQueryCanceled) failure = deadlock_;
    if (failure) {
        // What is owed to the client for earlier messages goes before the error.
        if (type != 'Q' && pipeline_ != nullptr && !relay_.idle() && !pipeline_->connection().broken) {
            const bool lost = co_await drain_quietly();
            if (!lost && !relay_.failed()) wire::write_error(client_.out(), *failure);
        } else {
            wire::write_error(client_.out(), *failure);
        }
    }
    co_await on_statement_error(failure && failure->severity == "FATAL");
    if (type == 'F' || type == 'Q') {
        ready();
    } else if (type == 'S') {
        skip_until_sync_ = false;
        ready();
    } else {
        skip_until_sync_ = true;
    }
}

/// Sync to the server alone, so that its session can be used for ROLLBACK.
Task<> Session::end_pipeline_quietly() {
    backend::Connection& connection = pipeline_->connection();
    try {
        wire::write_sync(connection.out());
        relay_.clear();
        relay_.expect({.kind = Expect::Kind::kSync, .forward = false});
        co_await relay_.drain(connection, client_);
    } catch (const backend::ConnectionLost&) {
        relay_.clear();
    }
}

/// True if the server was lost meanwhile.
Task<bool> Session::drain_quietly() {
    bool lost = false;
    try {
        co_await drain();
    } catch (const backend::ConnectionLost&) {
        lost = true;
    }
    co_return lost;
}

/// The statement is over: the client is told, and an open transaction can only be rolled back.
Task<> Session::on_statement_error(bool fatal) {
    answer_ = nullptr;
    answer_kept_ = false;
    ready_sent_ = false;
    for (auto& [shard, participant] : statement_leases_) {
        if (participant.connection().status() != wire::TransactionStatus::kIdle) participant.connection().broken = true;
    }
    // A pipeline that has not been ended keeps its server session from being reused.
    if (pipeline_ != nullptr && !transaction_.open()) pipeline_->connection().broken = true;
    if (pipeline_ != nullptr && transaction_.open() && !pipeline_->connection().broken) co_await end_pipeline_quietly();
    relay_.clear();
    release_statement_leases();
    pipeline_ = nullptr;
    pipeline_executed_ = false;
    transaction_.fail();
    if (transaction_.mode() == Transaction::Mode::kImplicit) co_await rollback();
    if (fatal) terminated_ = true;
}

void Session::ready() {
    using wire::TransactionStatus;
    tell_notifications();
    TransactionStatus status = TransactionStatus::kIdle;
    if (transaction_.mode() == Transaction::Mode::kExplicit) {
        status = transaction_.failed() ? TransactionStatus::kFailed : TransactionStatus::kInTransaction;
    }
    wire::write_ready(client_.out(), status);
}

void Session::fatal(Error error) {
    error.severity = "FATAL";
    wire::write_error(client_.out(), error);
    terminated_ = true;
}

std::vector<ShardId> Session::other_shards() const {
    std::vector<ShardId> shards = core_.map()->shard_ids();
    std::erase(shards, home());
    return shards;
}

std::string_view Session::state() const {
    if (busy_) return "active";
    if (transaction_.failed()) return "idle in transaction (aborted)";
    return transaction_.open() ? "idle in transaction" : "idle";
}

std::string Session::pinned_to() const {
    std::string names;
    for (const auto& [shard, lease] : pinned_) names += (names.empty() ? "" : ",") + shard_name(shard);
    return names;
}

void Session::cancel() {
    if (!busy_ || committing_) return;
    const auto cancel_one = [](Participant& participant) {
        Background::cancel_query(participant.connection());
    };
    for (auto& [shard, participant] : statement_leases_) cancel_one(participant);
    for (auto& [shard, participant] : transaction_.participants()) cancel_one(participant);
    if (cancelled_too_ != nullptr) Background::cancel_query(*cancelled_too_);
    cancelled_ = cancel_sent_ = true;
}

std::optional<deadlock::Suspect> Session::suspect() const {
    if (!busy_) return std::nullopt;
    deadlock::Suspect suspect{.party = deadlock::Party{id_}, .core = core_.number(), .begun = transaction_.open() ? transaction_.begun : busy_since_,
                              .busy_since = busy_since_, .gid = committing_gid_};
    const auto add = [&suspect](ShardId shard, const backend::Connection& connection) {
        if (!connection.broken) suspect.servers.emplace_back(shard, connection.backend_pid());
    };
    for (const auto& [shard, participant] : transaction_.participants()) {
        if (participant.began) add(shard, participant.connection());
    }
    // Session advisory locks are held outside of transactions, too.
    for (const auto& [shard, lease] : pinned_) {
        if (lease) add(shard, *lease);
    }
    for (const auto& [shard, participant] : statement_leases_) {
        if (participant.lease) add(shard, participant.connection());
    }
    if (suspect.servers.empty()) return std::nullopt;
    return suspect;
}

void Session::break_deadlock(Clock::time_point busy_since, Error error) {
    if (!busy_ || busy_since_ != busy_since || committing_) return;
    deadlock_ = std::move(error);
    cancel();
}

void Session::shut_down() {
    stopping_ = true;
    if (!busy_ && !transaction_.open()) client_.stream().stop_reading();
}

}  // namespace pgmosaic::coordinator

#include "backend/pool.h"

#include <boost/asio/redirect_error.hpp>
#include <utility>

namespace pgmosaic::backend {

namespace {

std::string key_of(const std::string& database, const std::string& user) {
    std::string key;
    key.reserve(database.size() + user.size() + 1);
    key += database;
    key += '\0';
    key += user;
    return key;
}

/// A login that may succeed soon: the server restarts, or a standby is about to take over.
bool may_pass(const Error& error) {
    return error.code == sqlstate::kCannotConnectNow || error.code == sqlstate::kConnectionFailure ||
           error.code == sqlstate::kAdminShutdown;
}

constexpr Clock::duration kRetry = 20ms;
/// So often an applicant looks whether he is cancelled.
constexpr Clock::duration kLook = 50ms;

}  // namespace

Lease::Lease(Pool* pool, std::unique_ptr<Connection> connection, ShardId shard, std::string key, std::uint64_t generation)
    : pool_(pool), connection_(std::move(connection)), shard_(shard), key_(std::move(key)), generation_(generation) {}

Lease::Lease(Lease&& other) noexcept { *this = std::move(other); }

Lease& Lease::operator=(Lease&& other) noexcept {
    if (this == &other) return *this;
    release();
    pool_ = std::exchange(other.pool_, nullptr);
    connection_ = std::move(other.connection_);
    shard_ = other.shard_;
    key_ = std::move(other.key_);
    generation_ = other.generation_;
    in_use_ = other.in_use_;
    return *this;
}

void Lease::release() {
    if (!connection_) return;
    const bool clean = !connection_->broken && connection_->status() == wire::TransactionStatus::kIdle &&
                       connection_->stream().input().empty() && connection_->out().empty() && !connection_->dirty &&
                       !connection_->retired;
    pool_->give_back(*this, clean);
}

void Lease::discard() {
    if (connection_) pool_->give_back(*this, false);
}

Pool::Pool(asio::any_io_executor executor, PoolOptions options, std::vector<std::shared_ptr<SlotCount>> slots)
    : executor_(std::move(executor)), options_(options) {
    for (auto& count : slots) add_shard(std::move(count));
}

Pool::~Pool() {
    for (Shard& shard : shards_) PGM_CHECK(shard.in_use.empty(), "a pool outlives its leases");
    close_idle({});
}

void Pool::add_shard(std::shared_ptr<SlotCount> slots) {
    shards_.emplace_back();
    shards_.back().slots = std::move(slots);
}

Lease Pool::lend(ShardId id, std::string key, std::unique_ptr<Connection> connection, std::uint64_t generation) {
    Shard& shard = shards_[id.value];
    Lease lease(this, std::move(connection), id, std::move(key), generation);
    lease.in_use_ = shard.in_use.insert(shard.in_use.end(), lease.connection_.get());
    return lease;
}

namespace {

using Idle = std::vector<std::unique_ptr<Connection>>;

/// The one that holds the applicant's own state; else the one used last that holds nobody's, or a gone client's; else none.
Idle::iterator choose(Idle& idle, std::uint64_t owner) {
    auto best = idle.end();
    for (auto each = idle.end(); each != idle.begin();) {
        --each;
        const std::uint64_t other = (*each)->owner;
        if (owner != 0 && other == owner) return each;
        if (other == 0 && (best == idle.end() || (*best)->owner != 0)) best = each;
        else if (other == Connection::kOwnerGone && best == idle.end()) best = each;
        if (owner == 0 && best != idle.end() && (*best)->owner == 0) break;
    }
    return best;
}

}  // namespace

Lease Pool::try_acquire(ShardId id, const std::string& database, const std::string& user, std::uint64_t owner) {
    Shard& shard = shards_[id.value];
    if (!shard.endpoint.available || !shard.waiters.empty()) return {};
    std::string key = key_of(database, user);
    auto connection = take_idle(shard, key, owner, false);
    if (!connection) return {};
    return lend(id, std::move(key), std::move(connection), shard.endpoint.generation);
}

/// `anyones`: also one that holds another client's state.
std::unique_ptr<Connection> Pool::take_idle(Shard& shard, const std::string& key, std::uint64_t owner, bool anyones) {
    const auto found = shard.idle.find(key);
    if (found == shard.idle.end() || found->second.empty()) return nullptr;
    auto chosen = choose(found->second, owner);
    if (chosen == found->second.end() && !anyones) return nullptr;
    if (chosen == found->second.end()) --chosen;
    auto connection = std::move(*chosen);
    found->second.erase(chosen);
    return connection;
}

void Pool::forget_owner(std::uint64_t owner) {
    for (Shard& shard : shards_) {
        for (auto& [key, connections] : shard.idle) {
            for (auto& connection : connections) {
                if (connection->owner == owner) connection->owner = Connection::kOwnerGone;
            }
        }
    }
}

Task<Lease> Pool::acquire(ShardId id, std::string database, std::string user, Applicant applicant) {
    const int most = options_.per_shard_max + (applicant.holds_locks ? options_.reserve : 0);
    const Deadline deadline = Deadline::after(options_.wait_timeout);
    std::optional<Error> last;
    std::optional<Waiter> waiter;  // keeps its place in the queue until it is served
    while (true) {
        Shard& shard = shards_[id.value];
        if (shard.endpoint.available) {
            const std::string key = key_of(database, user);
            // Another client's state is taken from him only where there is no room for one more connection.
            const bool full = shard.slots->open.load() >= options_.per_shard_max;
            auto connection = waiter || shard.waiters.empty() ? take_idle(shard, key, applicant.owner, full) : nullptr;
            if (connection) {
                waiter.reset();
                wake_next(shard);
                co_return lend(id, key, std::move(connection), shard.endpoint.generation);
            }
            if (take_slot(shard, most)) {
                auto lease = co_await connect(id, key, database, user, deadline);
                if (lease) {
                    waiter.reset();
                    wake_next(shards_[id.value]);
                    co_return std::move(*lease);
                }
                last = lease.error();
                if (!may_pass(*last)) throw PgError(*last);
            }
        }
        if (deadline.passed()) break;
        if (applicant.cancelled != nullptr && *applicant.cancelled) {
            throw PgError(Error{.code = sqlstate::kQueryCanceled, .message = "canceling statement due to user request"});
        }
        if (!waiter) waiter.emplace(executor_, shards_[id.value]);
        const Clock::duration at_most = last ? kRetry : kLook;
        co_await wait_in_queue(*waiter, deadline, at_most);
    }
    if (last || !shards_[id.value].endpoint.available) {
        throw PgError(Error{.code = sqlstate::kCannotConnectNow,
                            .message = "no primary of the shard answered within the waiting time",
                            .detail = last ? "The last attempt failed: " + last->message + "." : std::string{},
                            .hint = "Run the statement again; pool.wait_timeout bounds the wait."});
    }
    throw PgError(Error{.code = sqlstate::kTooManyConnections,
                        .message = "no server connection became free within the waiting time",
                        .hint = "Raise pool.per_shard or end idle transactions; mosaic.clients shows who holds connections."});
}

Task<Result<Lease>> Pool::connect(ShardId id, std::string key, std::string database, std::string user, Deadline deadline) {
    const Endpoint endpoint = shards_[id.value].endpoint;
    ServerAddress address{.host = nearest_host(endpoint.host, endpoint.port, endpoint.socket_directory), .port = endpoint.port,
                          .database = database, .user = user, .application_name = "", .unacknowledged_max_ms = 0, .tls = options_.tls};
    if (keys_of) address.keys = keys_of(user);
    if (password_of) address.password = password_of(user);
    // A slot that is taken must be given back whatever happens while the login waits.
    struct SlotGuard {
        Pool* pool;
        ShardId id;
        bool kept = false;
        ~SlotGuard() {
            if (!kept) pool->free_slot(pool->shards_[id.value]);
        }
    } guard{this, id};
    auto connection = co_await Connection::open(address, deadline);
    if (!connection) co_return connection.error();
    if (endpoint.generation != shards_[id.value].endpoint.generation) {
        co_return Error{.code = sqlstate::kCannotConnectNow, .message = "the primary changed during the login"};
    }
    guard.kept = true;
    co_return lend(id, std::move(key), std::move(*connection), endpoint.generation);
}

Pool::Waiter::Waiter(const asio::any_io_executor& executor, Shard& waited_for) : timer(executor), shard(waited_for) {
    place = shard.waiters.insert(shard.waiters.end(), this);
    shard.slots->waiting.fetch_add(1);
}

Pool::Waiter::~Waiter() {
    shard.waiters.erase(place);
    shard.slots->waiting.fetch_sub(1);
}

Task<> Pool::wait_in_queue(Waiter& waiter, Deadline deadline, Clock::duration at_most) {
    waiter.timer.expires_at(at_most == Clock::duration::max() ? deadline.at : std::min(deadline.at, Clock::now() + at_most));
    boost::system::error_code error;
    co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
        throw boost::system::system_error(asio::error::operation_aborted);
    }
}

void Pool::wake_next(Shard& shard) {
    if (!shard.waiters.empty()) shard.waiters.front()->timer.cancel();
}

bool Pool::take_slot(Shard& shard, int most) {
    int open = shard.slots->open.load();
    while (open < most) {
        if (shard.slots->open.compare_exchange_weak(open, open + 1)) return true;
    }
    // The bound is reached: an idle connection of another database or user makes room.
    if (!close_one_idle(shard)) return false;
    return take_slot(shard, most);
}

bool Pool::close_one_idle(Shard& shard) {
    for (auto& [key, connections] : shard.idle) {
        if (connections.empty()) continue;
        connections.erase(connections.begin());
        shard.slots->open.fetch_sub(1);
        return true;
    }
    return false;
}

void Pool::free_slot(Shard& shard) {
    shard.slots->open.fetch_sub(1);
    if (!shard.waiters.empty()) {
        wake_next(shard);
    } else if (shard.slots->waiting.load() > 0 && on_slot_free) {
        on_slot_free();
    }
}

void Pool::give_back(Lease& lease, bool reusable) {
    Shard& shard = shards_[lease.shard_.value];
    shard.in_use.erase(lease.in_use_);
    auto connection = std::move(lease.connection_);
    const bool others_wait = shard.waiters.empty() && shard.slots->waiting.load() > 0;
    const bool too_many = shard.slots->open.load(std::memory_order_relaxed) > options_.per_shard_max;
    if (reusable && !others_wait && !too_many && lease.generation_ == shard.endpoint.generation) {
        connection->stream().input().release_if_empty();
        connection->idle_since = Clock::now();
        shard.idle[lease.key_].push_back(std::move(connection));
        wake_next(shard);
        return;
    }
    connection.reset();
    free_slot(shard);
}

void Pool::set_endpoint(ShardId id, Endpoint endpoint) {
    Shard& shard = shards_[id.value];
    if (shard.endpoint.generation != endpoint.generation) {
        distrust(id);
        for (Connection* connection : shard.in_use) {
            connection->broken = true;
            connection->stream().shutdown();
        }
    }
    shard.endpoint = std::move(endpoint);
    wake();
}

void Pool::close_idle(const std::string& database) {
    for (Shard& shard : shards_) {
        for (auto& [key, connections] : shard.idle) {
            if (!database.empty() && key.compare(0, database.size() + 1, database + '\0') != 0) continue;
            shard.slots->open.fetch_sub(static_cast<int>(connections.size()));
            connections.clear();
        }
    }
}

void Pool::distrust(ShardId id) {
    Shard& shard = shards_[id.value];
    for (auto& [key, connections] : shard.idle) {
        shard.slots->open.fetch_sub(static_cast<int>(connections.size()));
        connections.clear();
    }
}

void Pool::retire() {
    close_idle({});
    for (Shard& shard : shards_) {
        for (Connection* connection : shard.in_use) connection->retired = true;
    }
    wake();
}

void Pool::set_bounds(int per_shard_max, Clock::duration wait_timeout) {
    options_.per_shard_max = per_shard_max;
    options_.wait_timeout = wait_timeout;
    wake();
}

void Pool::wake() {
    for (Shard& shard : shards_) {
        // Give way to cores that wait while this one only keeps idle connections.
        while (shard.waiters.empty() && shard.slots->waiting.load() > 0 && shard.slots->open.load() >= options_.per_shard_max) {
            if (!close_one_idle(shard)) break;
            if (on_slot_free) on_slot_free();
        }
        for (Waiter* waiter : shard.waiters) waiter->timer.cancel();
    }
}

std::vector<Pool::Usage> Pool::usage() const {
    std::vector<Usage> all;
    for (std::size_t i = 0; i < shards_.size(); ++i) {
        for (const auto& [key, connections] : shards_[i].idle) {
            const std::size_t zero = key.find('\0');
            all.push_back({ShardId{static_cast<std::uint16_t>(i)}, key.substr(0, zero), key.substr(zero + 1), connections.size()});
        }
    }
    return all;
}

}  // namespace pgmosaic::backend

#include "coordinator/moment/moment.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>

#include "base/error.h"

namespace pgmosaic::coordinator::moment {

namespace {

/// Whoever waits looks at the bounds of those who hold at least so often.
constexpr Clock::duration kLook = 20ms;

Error too_late() {
    return Error{.code = sqlstate::kCannotConnectNow,
                 .message = "the shards cannot be read or committed to at one moment now",
                 .detail = "A transaction over several shards is not finished on one of them yet.",
                 .hint = "Try again; mosaic.transactions shows what is in doubt."};
}

Error on_request() {
    return Error{.code = sqlstate::kQueryCanceled, .message = "canceling statement due to user request"};
}

}  // namespace

struct Moment::Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;  ///< touched on its own core only
    bool granted = false;      ///< so is this
};

Hold& Hold::operator=(Hold&& other) noexcept {
    if (this == &other) return *this;
    leave();
    moment_ = std::exchange(other.moment_, nullptr);
    ticket_ = other.ticket_;
    return *this;
}

bool Hold::leave() {
    Moment* const moment = std::exchange(moment_, nullptr);
    return moment != nullptr && moment->leave(ticket_);
}

template <class Change>
void Moment::change(Change change) {
    const std::lock_guard lock(mutex_);
    change();
    wake(latch_.take_granted());
}

/// Called with the mutex held.
void Moment::wake(const std::vector<Ticket>& granted) {
    for (Ticket ticket : granted) {
        const auto found = waiters_.find(ticket);
        if (found == waiters_.end()) continue;
        const WaiterPointer waiter = found->second;
        waiters_.erase(found);
        asio::post(waiter->timer.get_executor(), [waiter] {
            waiter->granted = true;
            waiter->timer.cancel();
        });
    }
    door_closed_.store(latch_.door_closed());
}

bool Moment::leave(Ticket ticket) {
    bool held = false;
    change([&] {
        waiters_.erase(ticket);
        held = latch_.leave(ticket, Clock::now());
    });
    return held;
}

Latch::Time Moment::next_look() const {
    const std::lock_guard lock(mutex_);
    const Latch::Time look = Clock::now() + kLook;
    return std::min(latch_.due().value_or(look), look);
}

template <class Arrive>
Moment::Turn Moment::arrive(const asio::any_io_executor& executor, Arrive arrive) {
    const std::lock_guard lock(mutex_);
    Turn turn{.ticket = arrive(latch_, Clock::now())};
    std::vector<Ticket> granted = latch_.take_granted();
    // Who goes on at once waits for no message.
    const bool at_once = std::erase(granted, turn.ticket) > 0;
    if (!at_once) turn.waiter = waiters_.emplace(turn.ticket, std::make_shared<Waiter>(executor)).first->second;
    wake(granted);
    return turn;
}

Task<> Moment::wait(Turn turn, Deadline deadline, const bool* cancelled) {
    if (!turn.waiter) co_return;
    struct Withdraw {  // a wait that is cancelled must not be granted to nobody
        Moment& moment;
        Ticket ticket;
        bool granted = false;
        ~Withdraw() {
            if (!granted) moment.leave(ticket);
        }
    } withdraw{*this, turn.ticket};
    Waiter& waiter = *turn.waiter;
    while (!waiter.granted) {
        if (deadline.passed()) throw PgError(too_late());
        if (cancelled != nullptr && *cancelled) throw PgError(on_request());
        waiter.timer.expires_at(std::min(deadline.at, next_look()));
        boost::system::error_code error;
        co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) throw boost::system::system_error(asio::error::operation_aborted);
        if (!waiter.granted) change([this] { latch_.tick(Clock::now()); });
    }
    withdraw.granted = true;
}

Task<Hold> Moment::open(std::vector<ShardId> shards, Deadline deadline, const bool* cancelled) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const Turn turn = arrive(executor, [&shards](Latch& latch, Latch::Time now) { return latch.open(shards, now); });
    co_await wait(turn, deadline, cancelled);
    co_return Hold(*this, turn.ticket);
}

Task<Hold> Moment::commit(std::string gid, std::vector<ShardId> unresolved, Deadline deadline) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const Turn turn = arrive(executor, [&](Latch& latch, Latch::Time now) { return latch.commit(gid, unresolved, now); });
    co_await wait(turn, deadline, nullptr);
    co_return Hold(*this, turn.ticket);
}

Task<> Moment::pass(Deadline deadline) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const Turn turn = arrive(executor, [](Latch& latch, Latch::Time now) { return latch.pass(now); });
    co_await wait(turn, deadline, nullptr);
}

void Moment::resolve(const std::string& gid, ShardId shard) {
    change([&] { latch_.resolve(gid, shard, Clock::now()); });
}

void Moment::doubt(const std::string& gid, ShardId shard) {
    change([&] { latch_.doubt(gid, shard); });
}

std::set<std::string> Moment::doubts(ShardId shard) const {
    const std::lock_guard lock(mutex_);
    return latch_.doubts(shard);
}

}  // namespace pgmosaic::coordinator::moment

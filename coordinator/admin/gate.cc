#include "coordinator/admin/gate.h"

#include <boost/asio/redirect_error.hpp>

namespace pgmosaic::coordinator {

namespace {

/// Waits until the timer is cancelled by whoever changes something (true), or expires (false).
Task<bool> woken(asio::steady_timer& timer) {
    boost::system::error_code error;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if ((co_await asio::this_coro::cancellation_state).cancelled() != asio::cancellation_type::none) {
        throw boost::system::system_error(asio::error::operation_aborted);
    }
    co_return static_cast<bool>(error);
}

}  // namespace

Task<bool> Gate::enter() {
    while (!try_enter()) {
        if (!co_await woken(opened_) && closed_) co_return false;
    }
    co_return true;
}

void Gate::close(Deadline until) {
    closed_ = true;
    opened_.expires_at(until.at);
}

Task<bool> Gate::drained(Deadline deadline) {
    idle_.expires_at(deadline.at);
    while (inside_ > 0) {
        if (!co_await woken(idle_)) break;
    }
    co_return inside_ == 0;
}

void Gate::open() {
    closed_ = false;
    opened_.cancel();
}

}  // namespace pgmosaic::coordinator

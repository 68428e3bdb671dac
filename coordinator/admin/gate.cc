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
    bool waiting = true;
    while (!try_enter()) {
        if (!waiting) co_return false;
        waiting = co_await woken(opened_);
    }
    co_return true;
}

void Gate::close(Deadline until) {
    closed_ = true;
    opened_.expires_at(until.at);
}

Task<bool> Gate::drained(Deadline deadline) {
    idle_.expires_at(deadline.at);
    // Written so because GCC 12 makes an illegal instruction of `if (!co_await …) break;` here.
    bool waiting = true;
    while (inside_ > 0 && waiting) waiting = co_await woken(idle_);
    co_return inside_ == 0;
}

void Gate::open() {
    closed_ = false;
    opened_.cancel();
}

}  // namespace pgmosaic::coordinator

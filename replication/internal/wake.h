#pragma once

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/deadline.h"
#include "base/task.h"

namespace pgmosaic::replication {

/// Ends somebody's pause. One waits at a time; a notice that came before the wait counts.
class Wake {
   public:
    explicit Wake(asio::any_io_executor executor) : timer_(std::move(executor)) {}

    void notify() {
        noticed_ = true;
        timer_.cancel();
    }

    /// Returns at the next notice, at the latest after `at_most`.
    Task<> wait(Clock::duration at_most) {
        if (!noticed_) {
            timer_.expires_after(at_most);
            boost::system::error_code ignored;
            co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        }
        noticed_ = false;
    }

   private:
    asio::steady_timer timer_;
    bool noticed_ = false;
};

}  // namespace pgmosaic::replication

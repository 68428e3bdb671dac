#include "coordinator/internal/alarm.h"

#include <boost/asio/steady_timer.hpp>

namespace pgmosaic::coordinator {

struct Alarm::State {
    explicit State(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    std::uint64_t number = 0;  ///< of what was set last: a handler that is under way already belongs to an older one
};

void Alarm::set(Clock::duration after, std::function<void()> call) {
    if (!state_) state_ = std::make_shared<State>(executor_);
    const std::uint64_t number = ++state_->number;
    state_->timer.expires_after(after);
    state_->timer.async_wait([state = state_, number, call = std::move(call)](boost::system::error_code error) {
        if (!error && state->number == number) call();
    });
}

void Alarm::stop() {
    if (!state_) return;
    ++state_->number;
    state_->timer.cancel();
}

}  // namespace pgmosaic::coordinator

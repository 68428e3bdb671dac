#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>

#include "base/deadline.h"
#include "base/task.h"

namespace pgmosaic::coordinator {

/// Calls a function later, unless it is stopped or set anew before.
///
/// Core      that of its executor
/// Lifetime  nothing is called once it is gone
class Alarm {
   public:
    explicit Alarm(asio::any_io_executor executor) : executor_(std::move(executor)) {}
    ~Alarm() { stop(); }
    Alarm(const Alarm&) = delete;
    Alarm& operator=(const Alarm&) = delete;

    void set(Clock::duration after, std::function<void()> call);
    void stop();

   private:
    struct State;
    asio::any_io_executor executor_;
    std::shared_ptr<State> state_;  ///< the timer's handler may be last; null: never used
};

}  // namespace pgmosaic::coordinator

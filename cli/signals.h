#pragma once

#include <functional>
#include <thread>

namespace pgmosaic::cli {

/// Signals as calls: a thread of its own waits for SIGINT, SIGTERM and SIGHUP. Make it before any other thread, which
/// then inherits that they are blocked.
///
/// Lifetime  the destructor joins; `on_signal` runs on the thread
class Signals {
   public:
    explicit Signals(std::function<void(int number)> on_signal);
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;
    ~Signals();

   private:
    std::function<void(int number)> on_signal_;
    std::thread waiter_;
};

}  // namespace pgmosaic::cli

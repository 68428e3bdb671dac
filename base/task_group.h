#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <exception>
#include <list>

#include "base/task.h"

namespace pgmosaic {

/// Children that somebody waits for. Nothing in the project is detached but by this class.
///
/// Core      all children run on the given executor, which serves one thread
/// Lifetime  must be joined before it is destroyed; a destructor that finds work running aborts
/// Cancel    stop() asks every child; the first failure of a child stops the others
/// Errors    join() rethrows the first failure that was not a cancellation asked for by stop()
class TaskGroup {
   public:
    explicit TaskGroup(asio::any_io_executor executor);
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    ~TaskGroup();

    void spawn(Task<> task);
    void stop();
    Task<> join();
    std::size_t running() const { return children_.size(); }

   private:
    struct Child {
        asio::cancellation_signal cancel;
    };
    void finished(std::list<Child>::iterator child, std::exception_ptr failure);

    asio::any_io_executor executor_;
    asio::steady_timer idle_;
    std::list<Child> children_;
    std::exception_ptr failure_;
    bool stopping_ = false;
};

}  // namespace pgmosaic

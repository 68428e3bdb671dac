#include "base/task_group.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "base/error.h"

namespace pgmosaic {

namespace {

bool is_cancellation(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return error.code() == asio::error::operation_aborted;
    } catch (...) {
        return false;
    }
}

}  // namespace

TaskGroup::TaskGroup(asio::any_io_executor executor)
    : executor_(std::move(executor)), idle_(executor_, asio::steady_timer::time_point::max()) {}

TaskGroup::~TaskGroup() { PGM_CHECK(children_.empty(), "a task group is joined before it is destroyed"); }

void TaskGroup::spawn(Task<> task) {
    children_.emplace_back();
    auto child = std::prev(children_.end());
    asio::co_spawn(executor_, std::move(task),
                   asio::bind_cancellation_slot(child->cancel.slot(), [this, child](std::exception_ptr failure) {
                       finished(child, std::move(failure));
                   }));
}

void TaskGroup::stop() {
    stopping_ = true;
    // A child may end inside emit() and leave the list: step first.
    for (auto child = children_.begin(); child != children_.end();) {
        auto current = child++;
        current->cancel.emit(asio::cancellation_type::terminal);
    }
}

void TaskGroup::finished(std::list<Child>::iterator child, std::exception_ptr failure) {
    children_.erase(child);
    const bool asked_for = stopping_ && failure && is_cancellation(failure);
    if (failure && !failure_ && !asked_for) {
        failure_ = std::move(failure);
        if (!children_.empty()) asio::post(executor_, [this] { stop(); });
    }
    if (children_.empty()) idle_.cancel();
}

Task<> TaskGroup::join() {
    while (!children_.empty()) {
        boost::system::error_code ignored;
        // A join that is itself cancelled passes the wish on and still waits: children may borrow from its scope.
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await idle_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    }
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace pgmosaic

#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/deadline.h"
#include "base/task.h"

namespace pgmosaic::coordinator {

/// Counts the query strings and pipelines of one database that are under way on one core, and holds new ones back while the
/// place of a table changes: what was planned by the old catalog must not reach a server after the change.
///
/// Core      one; whoever changes a place asks each core's gate by a message (see placement_gate.h)
/// Cancel    a waiting enter() or drained() ends
/// Bound     nobody waits longer than the `until` of close()
class Gate {
   public:
    explicit Gate(asio::any_io_executor executor) : opened_(executor), idle_(executor) {}

    /// The hot path: one comparison and one increment.
    bool try_enter() {
        if (closed_) return false;
        ++inside_;
        return true;
    }
    /// Waits for the gate to open. False: it did not in time.
    Task<bool> enter();
    void leave() {
        --inside_;
        if (closed_ && inside_ == 0) idle_.cancel();
    }

    void close(Deadline until);
    /// True once nobody is inside; false if that did not come before the deadline.
    Task<bool> drained(Deadline deadline);
    void open();

    bool closed() const { return closed_; }
    int inside() const { return inside_; }

   private:
    bool closed_ = false;
    int inside_ = 0;
    asio::steady_timer opened_;
    asio::steady_timer idle_;
};

}  // namespace pgmosaic::coordinator

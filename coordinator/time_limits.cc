#include <boost/asio/steady_timer.hpp>

#include "coordinator/internal/timeouts.h"
#include "coordinator/session.h"

/// Bounds of time that no single server can keep. statement_timeout goes to the servers, too, and each keeps it for what it is sent;
/// here it bounds the whole: waiting for connections and for a moment, and statements that are several on the servers.
namespace pgmosaic::coordinator {

namespace {

/// A server that keeps the same bound goes first: its session stays usable, one that is cancelled from outside does not.
constexpr Clock::duration kServersFirst = 50ms;

constexpr Clock::duration kCancelLook = 1ms;

Error statement_timed_out() {
    return Error{.code = sqlstate::kQueryCanceled, .message = "canceling statement due to statement timeout"};
}

Error idle_too_long(bool in_transaction) {
    return Error{.code = in_transaction ? sqlstate::kIdleInTransactionSessionTimeout : sqlstate::kIdleSessionTimeout,
                 .message = in_transaction ? "terminating connection due to idle-in-transaction timeout"
                                           : "terminating connection due to idle-session timeout"};
}

}  // namespace

const Timeouts& Session::timeouts() {
    const auto& locals = transaction_.local_settings();
    if (timeouts_for_ != settings_ || timeouts_locals_ != locals.size()) {
        timeouts_ = timeouts_of(*settings_, locals);
        timeouts_for_ = settings_;
        timeouts_locals_ = locals.size();
    }
    return timeouts_;
}

void Session::bound_statement() {
    const Clock::duration bound = timeouts().statement;
    if (bound.count() == 0) return;
    alarm_.set(bound + kServersFirst, [this] {
        if (!busy_ || committing_) return;
        deadlock_ = statement_timed_out();
        cancel();
    });
}

void Session::bound_idling() {
    if (!timeouts().any()) return;
    const bool in_transaction = transaction_.open();
    const Clock::duration bound = in_transaction ? timeouts().idle_in_transaction : timeouts().idle_session;
    if (bound.count() == 0) return;
    alarm_.set(bound, [this, in_transaction] {
        fatal(idle_too_long(in_transaction));
        client_.stream().stop_reading();
    });
}

/// A cancel is on its way until the server has closed the connection that brought it. Before that nothing more is sent on a server
/// session which it may hit: above all no COMMIT (PROTOCOLS 1.3).
Task<> Session::settle_cancels() {
    cancel_sent_ = false;
    const auto under_way = [this] {
        for (const auto& [shard, participant] : transaction_.participants()) {
            if ((participant.lease || participant.pinned != nullptr) && participant.connection().cancel_under_way()) return true;
        }
        for (const auto& [shard, lease] : pinned_) {
            if (lease && lease->cancel_under_way()) return true;
        }
        return false;
    };
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (under_way()) {
        timer.expires_after(kCancelLook);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

/// Nobody has been asked to commit yet: a statement that is cancelled now does not commit.
void Session::check_not_cancelled() const {
    if (!cancelled_) return;
    throw PgError(Error{.code = sqlstate::kQueryCanceled, .message = "canceling statement due to user request"});
}

}  // namespace pgmosaic::coordinator

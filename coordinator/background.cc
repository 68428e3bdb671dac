#include "coordinator/background.h"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>

namespace pgmosaic::coordinator {

namespace {

boost::asio::thread_pool& threads() {
    static boost::asio::thread_pool pool(2);
    return pool;
}

}  // namespace

void Background::cancel_query(backend::Connection& connection) {
    const std::function<void()> cancel = connection.canceller();
    if (!cancel) return;
    // A late signal would hit whatever runs next on this server session.
    connection.dirty = true;
    if (!connection.cancels) connection.cancels = std::make_shared<std::atomic<int>>(0);
    ++*connection.cancels;
    // It returns when the server has closed its end: the signal has been sent then.
    boost::asio::post(threads(), [cancel, under_way = connection.cancels] {
        cancel();
        --*under_way;
    });
}

void Background::stop() { threads().join(); }

}  // namespace pgmosaic::coordinator

#include "coordinator/background.h"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <memory>

namespace pgmosaic::coordinator {

namespace {

boost::asio::thread_pool& threads() {
    static boost::asio::thread_pool pool(2);
    return pool;
}

struct FreeCancel {
    void operator()(PGcancel* cancel) const { PQfreeCancel(cancel); }
};

}  // namespace

void Background::cancel_query(backend::Connection& connection) {
    std::shared_ptr<PGcancel> cancel(connection.make_cancel(), FreeCancel{});
    if (!cancel) return;
    // A late signal would hit whatever runs next on this server session.
    connection.dirty = true;
    boost::asio::post(threads(), [cancel] {
        char error[256];
        PQcancel(cancel.get(), error, sizeof error);
    });
}

void Background::stop() { threads().join(); }

}  // namespace pgmosaic::coordinator

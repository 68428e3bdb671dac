#include "replication/internal/server_session.h"

#include <sys/socket.h>

#include <boost/asio/steady_timer.hpp>

namespace pgmosaic::replication {

namespace {

constexpr const char* kKeeperName = "pgmosaic_keeper";
constexpr auto kServerLookAgain = 5ms;

/// Did the server end this idle session? Then its last words, or the end, wait to be read.
bool was_ended(backend::ServiceConnection& connection) {
    char first = 0;
    const auto got = ::recv(connection.connection().stream().socket().native_handle(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got == 1 && first == 'E');
}

}  // namespace

Task<Result<void>> ServerSession::open(Deadline deadline) {
    if (connection_ && was_ended(*connection_)) close();
    if (connection_) co_return Result<void>();
    auto opened = co_await backend::ServiceConnection::open(address_, deadline);
    if (!opened) co_return opened.error();
    connection_ = std::move(*opened);
    if (!ends_earlier_) co_return Result<void>();
    auto alone = co_await end_earlier(deadline);
    if (!alone) close();
    co_return alone;
}

ServerSession ServerSession::of_keeper(backend::ServerAddress address) {
    address.application_name = kKeeperName;
    ServerSession session(std::move(address));
    session.ends_earlier_ = true;
    return session;
}

Task<Result<void>> ServerSession::end_earlier(Deadline deadline) {
    const std::string earlier = std::string("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '") +
                                kKeeperName + "' AND pid <> pg_backend_pid()";
    while (true) {
        const auto left = co_await connection_->query(earlier, deadline);
        if (!left) co_return left.error();
        if (left->rows.empty()) co_return Result<void>();
        asio::steady_timer timer(co_await asio::this_coro::executor, kServerLookAgain);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

void ServerSession::close() {
    stop_listening();
    connection_.reset();
}

void ServerSession::listen(std::function<void()> on_word) {
    if (!connection_) return;
    listener_ = std::make_shared<std::function<void()>>(std::move(on_word));
    auto& socket = connection_->connection().stream().socket();
    socket.async_wait(asio::socket_base::wait_read, [listener = listener_](boost::system::error_code error) {
        if (!error && *listener) (*listener)();
    });
}

void ServerSession::stop_listening() {
    if (!listener_) return;
    *listener_ = nullptr;
    listener_.reset();
    boost::system::error_code ignored;
    if (connection_) connection_->connection().stream().socket().cancel(ignored);
}

Task<Result<backend::QueryResult>> ServerSession::query(std::string sql, Deadline deadline) {
    stop_listening();
    const auto opened = co_await open(deadline);
    if (!opened) co_return opened.error();
    auto result = co_await connection_->query(std::move(sql), deadline);
    if (connection_->broken() || (!result && result.error().code == sqlstate::kConnectionFailure)) close();
    co_return result;
}

}  // namespace pgmosaic::replication

#include "replication/internal/server_session.h"

namespace pgmosaic::replication {

Task<Result<void>> ServerSession::open(Deadline deadline) {
    if (connection_) co_return Result<void>();
    auto opened = co_await backend::ServiceConnection::open(address_, deadline);
    if (!opened) co_return opened.error();
    connection_ = std::move(*opened);
    co_return Result<void>();
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

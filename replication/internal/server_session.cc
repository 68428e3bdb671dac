#include "replication/internal/server_session.h"

namespace pgmosaic::replication {

Task<Result<void>> ServerSession::open(Deadline deadline) {
    if (connection_) co_return Result<void>();
    auto opened = co_await backend::ServiceConnection::open(address_, deadline);
    if (!opened) co_return opened.error();
    connection_ = std::move(*opened);
    co_return Result<void>();
}

Task<Result<backend::QueryResult>> ServerSession::query(std::string sql, Deadline deadline) {
    const auto opened = co_await open(deadline);
    if (!opened) co_return opened.error();
    auto result = co_await connection_->query(std::move(sql), deadline);
    if (connection_->broken() || (!result && result.error().code == sqlstate::kConnectionFailure)) connection_.reset();
    co_return result;
}

}  // namespace pgmosaic::replication

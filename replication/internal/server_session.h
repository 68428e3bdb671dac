#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backend/service_connection.h"

namespace pgmosaic::replication {

/// A session on one server that is opened when it is needed, and again after it broke.
///
/// Core    the supervisor's; one query at a time
/// Errors  ServiceConnection's
class ServerSession {
   public:
    explicit ServerSession(backend::ServerAddress address) : address_(std::move(address)) {}
    ~ServerSession() { stop_listening(); }
    ServerSession(const ServerSession&) = delete;
    ServerSession& operator=(const ServerSession&) = delete;

    Task<Result<backend::QueryResult>> query(std::string sql, Deadline deadline);
    /// Opens it if it is not open.
    Task<Result<void>> open(Deadline deadline);
    bool is_open() const { return connection_ != nullptr; }
    void close();
    /// Between two queries: calls `on_word` once the server says something unasked, its end above all.
    void listen(std::function<void()> on_word);
    void stop_listening();
    int backend_pid() { return connection_ ? connection_->connection().backend_pid() : 0; }

   private:
    backend::ServerAddress address_;
    std::unique_ptr<backend::ServiceConnection> connection_;
    std::shared_ptr<std::function<void()>> listener_;  ///< the pending wait's handler may be last; empty when it is not wanted
};

}  // namespace pgmosaic::replication

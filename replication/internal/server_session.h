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
    /// The session of whoever gives this server orders. Opening it ends those before it, of this process or of another one: an
    /// order that was given up must not come to effect behind a newer one (PROTOCOLS 3.5).
    static ServerSession of_keeper(backend::ServerAddress address);
    ~ServerSession() { stop_listening(); }
    ServerSession(const ServerSession&) = delete;
    ServerSession(ServerSession&&) = default;
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
    Task<Result<void>> end_earlier(Deadline deadline);

    backend::ServerAddress address_;
    bool ends_earlier_ = false;
    std::unique_ptr<backend::ServiceConnection> connection_;
    std::shared_ptr<std::function<void()>> listener_;  ///< the pending wait's handler may be last; empty when it is not wanted
};

}  // namespace pgmosaic::replication

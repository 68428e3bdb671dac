#pragma once

#include <libpq-fe.h>

#include <atomic>
#include <boost/system/system_error.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "backend/server_address.h"
#include "backend/stream.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/task.h"
#include "wire/messages.h"

namespace pgmosaic::backend {

/// The server went away under a connection. What that means for a transaction, its owner decides.
class ConnectionLost : public PgError {
   public:
    using PgError::PgError;
};

/// An ErrorResponse or NoticeResponse that tells of the end of the server (or of this session of it), by whatever cause.
bool is_end_of_server(std::string_view body);
/// True for the body of a notice that a commit's wait for its standby was given up, and its answer follows. Where the session ends with
/// it no answer does: the connection is lost, and the commit's token tells its outcome.
bool is_unreplicated(std::string_view body);

/// A session on a server: libpq logs in (or we do, where there are keys instead of a password), afterwards protocol v3 is
/// spoken on the socket itself.
///
/// Core      one
/// Lifetime  owned by a pool or a service; a Lease borrows it
/// Errors    connect: the server's own error (28000, 3D000, 57P03 …) or 08006; reading and writing: ConnectionLost
/// Cancel    a connection cancelled in mid-message is closed, not reused: `broken` is set by whoever leaves it so
class Connection {
   public:
    static Task<Result<std::unique_ptr<Connection>>> open(const ServerAddress& address, Deadline deadline);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    Stream& stream() { return stream_; }
    /// Messages that wait to be sent; write() sends and empties it.
    std::string& out() { return out_; }
    Task<> write();
    /// The same as far as it goes without waiting: true if nothing is left for write().
    bool write_now();
    /// Reads more into the buffer; `want`: how much is missing of a message that is known.
    Task<> fill(std::size_t want = 0);

    /// The next whole message. The view lives until the next call or consume.
    /// Notices and parameter changes are handed out like all others, after `note()` has looked at them.
    Task<wire::Frame> next();
    /// Takes what next() returned out of the buffer.
    void consume(const wire::Frame& frame) { stream_.input().consume(frame.whole.size()); }
    /// Keeps own state (transaction status, parameters) true to a message that passes. Throws ConnectionLost at the last
    /// words of a server that ends: whoever waits is told what that means for him, not that his own connection has ended.
    void note(const wire::Frame& frame);

    wire::TransactionStatus status() const { return status_; }
    void set_status(wire::TransactionStatus status) { status_ = status; }
    const std::map<std::string, std::string>& parameters() const { return parameters_; }
    int backend_pid() const { return backend_pid_; }
    /// Asks the server to cancel what runs here, and returns when the server has taken note. It blocks: call it on a thread that
    /// may; it may outlive the connection. Empty: it cannot be made.
    std::function<void()> canceller();

    /// Cancel requests for this session that may not have arrived yet. The thread that sends them may be last.
    std::shared_ptr<std::atomic<int>> cancels;
    bool cancel_under_way() const { return cancels && cancels->load() > 0; }

    bool broken = false;             ///< must not be reused
    bool fresh = true;               ///< nobody has used it yet: it has the server's defaults
    bool retired = false;            ///< began with settings that new sessions do not have: closed instead of reused
    bool dirty = false;              ///< a cancel may still be on its way to it: closed instead of reused
    /// Whose session state it may hold (what functions left, what sequences gave); 0: nobody's. Others reset it first.
    std::uint64_t owner = 0;
    bool ran_user_code = false;      ///< since it was new or reset: its settings may not be what was told
    static constexpr std::uint64_t kOwnerGone = ~std::uint64_t{0};
    bool unreplicated_notice = false;  ///< a commit on it ended before its standby had it (SyncRepWaitForLSN)
    std::shared_ptr<const void> settings;  ///< what the pool's user has applied; null: server's defaults
    std::unordered_map<std::uint64_t, std::string> prepared;  ///< statement id → name on this server session
    std::uint64_t unnamed_statement = 0;  ///< id of what was parsed last without a name; 0: unknown
    Clock::time_point idle_since{};

   private:
    struct Finish {
        void operator()(PGconn* connection) const { PQfinish(connection); }
    };
    using Handle = std::unique_ptr<PGconn, Finish>;
    [[noreturn]] void lost(const boost::system::system_error& error);
    Connection(Handle connection, asio::generic::stream_protocol::socket socket);

    // key_login.cc
    explicit Connection(asio::generic::stream_protocol::socket socket) : stream_(std::move(socket)) {}
    static Task<Result<std::unique_ptr<Connection>>> open_with_keys(const ServerAddress& address, Deadline deadline);
    Task<> connect(const ServerAddress& address);
    Task<> encrypt(const ServerAddress& address);
    Task<> log_in(const ServerAddress& address);
    Task<> prove(const ServerAddress& address, std::string_view mechanisms);
    Task<std::string> next_authentication(std::int32_t wanted);

    Handle connection_;  ///< null: we have logged in ourselves
    Stream stream_;
    int backend_pid_ = 0;
    std::int32_t cancel_secret_ = 0;  ///< of our own login
    std::string out_;
    wire::TransactionStatus status_ = wire::TransactionStatus::kIdle;
    std::map<std::string, std::string> parameters_;
};

}  // namespace pgmosaic::backend

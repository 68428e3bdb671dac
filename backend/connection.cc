#include "backend/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>

#include "backend/internal/key_canceller.h"

namespace pgmosaic::backend {

namespace {

constexpr const char* kReported[] = {"application_name", "client_encoding", "DateStyle", "default_transaction_read_only",
                                     "in_hot_standby", "integer_datetimes", "IntervalStyle", "is_superuser",
                                     "server_encoding", "server_version", "session_authorization",
                                     "standard_conforming_strings", "TimeZone"};

/// Waits until libpq's socket can be read or written, or the deadline passes (false).
Task<bool> wait_for(int socket, PostgresPollingStatusType what, Deadline deadline) {
    const auto executor = co_await asio::this_coro::executor;
    struct State {
        explicit State(const asio::any_io_executor& executor, int socket)
            : descriptor(executor, ::dup(socket)), timer(executor) {}
        asio::posix::stream_descriptor descriptor;
        asio::steady_timer timer;
        bool fired = false;
    };
    const auto state = std::make_shared<State>(executor, socket);  // the timer's handler may be last
    if (deadline.at != Clock::time_point::max()) {
        state->timer.expires_at(deadline.at);
        state->timer.async_wait([state](boost::system::error_code error) {
            if (error) return;
            state->fired = true;
            state->descriptor.cancel();
        });
    }
    boost::system::error_code error;
    const auto direction = what == PGRES_POLLING_READING ? asio::posix::stream_descriptor::wait_read
                                                         : asio::posix::stream_descriptor::wait_write;
    co_await state->descriptor.async_wait(direction, asio::redirect_error(asio::use_awaitable, error));
    state->timer.cancel();
    co_return !state->fired;
}

/// What libpq says about a failed login, as the server said it: `FATAL:  role "x" does not exist`. libpq keeps no SQLSTATE
/// of a failed connection, so the code is told from the message (lc_messages of our servers is C).
Error login_error(const char* text) {
    std::string message(text);
    while (!message.empty() && message.back() == '\n') message.pop_back();
    Error error{.code = sqlstate::kConnectionFailure, .message = message, .severity = "FATAL"};
    const std::size_t fatal = message.find("FATAL:  ");
    if (fatal == std::string::npos) return error;
    error.message = message.substr(fatal + 8);
    const std::size_t detail = error.message.find("\nDETAIL:  ");
    if (detail != std::string::npos) {
        error.detail = error.message.substr(detail + 10);
        error.message.resize(detail);
    }
    const auto says = [&](std::string_view part) { return error.message.find(part) != std::string::npos; };
    if (says("database \"") && says("does not exist")) error.code = sqlstate::kInvalidCatalogName;
    else if (says("not currently accepting connections")) error.code = sqlstate::kObjectNotInPrerequisiteState;
    else if (says("permission denied for database")) error.code = sqlstate::kInsufficientPrivilege;
    else if (says("password authentication failed")) error.code = sqlstate::kInvalidPassword;
    else if (says("role \"") || says("pg_hba.conf")) error.code = sqlstate::kInvalidAuthorization;
    else if (says("too many") || says("remaining connection slots")) error.code = sqlstate::kTooManyConnections;
    else if (says("the database system is")) error.code = sqlstate::kCannotConnectNow;
    else if (says("terminating connection")) error.code = sqlstate::kAdminShutdown;
    return error;
}

}  // namespace

bool is_end_of_server(std::string_view body) {
    const std::string_view severity = wire::error_field(body, 'V');
    if (severity == "PANIC") return true;
    const std::string_view code = wire::error_field(body, 'C');
    // 57P01: stopped or terminated, or its postmaster is gone; 57P02: a neighbour crashed; 57P03: not taking statements.
    const bool ends = code == "57P01" || code == "57P02" || code == "57P03";
    return ends && severity != "ERROR";
}

bool is_unreplicated(std::string_view body) {
    return wire::error_field(body, 'R') == "SyncRepWaitForLSN" && !is_end_of_server(body);
}

Connection::Connection(Handle connection, asio::generic::stream_protocol::socket socket)
    : connection_(std::move(connection)), stream_(std::move(socket)) {
    for (const char* name : kReported) {
        if (const char* value = PQparameterStatus(connection_.get(), name)) parameters_[name] = value;
    }
    backend_pid_ = PQbackendPID(connection_.get());
    if (auto* tls = static_cast<SSL*>(PQsslStruct(connection_.get(), "OpenSSL"))) {
        stream_.adopt_tls(std::make_unique<TlsChannel>(tls));
    }
}

Connection::~Connection() {
    if (connection_ && stream_.tls() == nullptr) return;  // PQfinish says goodbye
    std::string terminate;
    wire::write_empty(terminate, 'X');
    stream_.try_write_quietly(terminate);
    stream_.say_goodbye();
}

std::function<void()> Connection::canceller() {
    if (!connection_) return key_canceller(stream_.socket().native_handle(), backend_pid_, cancel_secret_);
    const std::shared_ptr<PGcancel> cancel(PQgetCancel(connection_.get()), [](PGcancel* made) { PQfreeCancel(made); });
    if (!cancel) return {};
    return [cancel] {
        char error[256];
        PQcancel(cancel.get(), error, sizeof error);
    };
}

Task<Result<std::unique_ptr<Connection>>> Connection::open(const ServerAddress& address, Deadline deadline) {
    if (address.keys) co_return co_await open_with_keys(address, deadline);
    const std::string port = std::to_string(address.port);
    const std::string unacknowledged = std::to_string(address.unacknowledged_max_ms);
    const std::string options = address.options + " -c tcp_user_timeout=" + unacknowledged;
    const char* names[] = {"host", "port", "dbname", "user", "password", "options", "application_name", "sslmode", "sslrootcert",
                           "gssencmode", "client_encoding", "tcp_user_timeout", "keepalives_idle", nullptr};
    const char* values[] = {address.host.c_str(), port.c_str(), address.database.c_str(), address.user.c_str(),
                            address.password.c_str(), options.c_str(), address.application_name.c_str(), address.tls.mode.c_str(),
                            address.tls.ca.c_str(), "disable", "UTF8", unacknowledged.c_str(), "10", nullptr};
    Handle handle(PQconnectStartParams(names, values, 0));
    if (!handle) co_return Error{.code = sqlstate::kOutOfMemory, .message = "out of memory"};
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    while (step != PGRES_POLLING_OK) {
        if (step == PGRES_POLLING_FAILED || PQstatus(handle.get()) == CONNECTION_BAD) {
            co_return login_error(PQerrorMessage(handle.get()));
        }
        if (!co_await wait_for(PQsocket(handle.get()), step, deadline)) {
            co_return Error{.code = sqlstate::kConnectionFailure,
                            .message = "connection to server at \"" + address.host + "\", port " + port + " timed out"};
        }
        step = PQconnectPoll(handle.get());
    }
    PQsetnonblocking(handle.get(), 1);

    const int socket = ::dup(PQsocket(handle.get()));
    sockaddr_storage peer{};
    socklen_t peer_bytes = sizeof peer;
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&peer), &peer_bytes);
    asio::generic::stream_protocol::socket stream(co_await asio::this_coro::executor);
    stream.assign(asio::generic::stream_protocol(peer.ss_family, peer.ss_family == AF_UNIX ? 0 : IPPROTO_TCP), socket);
    stream.non_blocking(true);
    co_return std::unique_ptr<Connection>(new Connection(std::move(handle), std::move(stream)));
}

Task<> Connection::write() {
    std::string bytes;
    bytes.swap(out_);
    try {
        co_await stream_.write(bytes);
    } catch (const boost::system::system_error& error) {
        lost(error);
    }
    bytes.clear();
    if (out_.empty()) out_.swap(bytes);  // keeps the memory for the next message
}

bool Connection::write_now() {
    try {
        out_.erase(0, stream_.try_write(out_));
    } catch (const boost::system::system_error& error) {
        lost(error);
    }
    return out_.empty();
}

Task<> Connection::fill(std::size_t want) {
    try {
        co_await stream_.fill(want);
    } catch (const boost::system::system_error& error) {
        lost(error);
    }
}

void Connection::lost(const boost::system::system_error& error) {
    broken = true;
    if (error.code() == asio::error::operation_aborted) throw error;
    throw ConnectionLost(Error{.code = sqlstate::kConnectionFailure,
                               .message = "connection to the server was lost: " + error.code().message()});
}

Task<wire::Frame> Connection::next() {
    while (true) {
        const std::string_view unread = stream_.input().unread();
        if (const auto frame = wire::next_frame(unread)) {
            note(*frame);
            co_return *frame;
        }
        const std::size_t whole = wire::frame_bytes(unread);
        const std::size_t missing = whole > unread.size() ? whole - unread.size() : 0;
        co_await fill(missing);
    }
}

void Connection::note(const wire::Frame& frame) {
    switch (frame.type) {
        case 'Z':
            if (!frame.body.empty()) status_ = static_cast<wire::TransactionStatus>(frame.body[0]);
            break;
        case 'S': {
            const std::size_t end = frame.body.find('\0');
            if (end != std::string_view::npos && frame.body.size() > end + 1) {
                parameters_[std::string(frame.body.substr(0, end))] =
                    std::string(frame.body.substr(end + 1, frame.body.size() - end - 2));
            }
            break;
        }
        case 'N':
            if (is_unreplicated(frame.body)) unreplicated_notice = true;
            break;
        case 'E':
            if (is_end_of_server(frame.body)) {
                broken = true;
                throw ConnectionLost(Error{.code = sqlstate::kConnectionFailure,
                                           .message = "connection to the server was lost: " +
                                                      std::string(wire::error_field(frame.body, 'M'))});
            }
            break;
        default:
            break;
    }
}

}  // namespace pgmosaic::backend

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>
#include <vector>

#include "backend/connection.h"
#include "wire/reader.h"

/// A login without a password: with the keys that a client's own login has given us. libpq 15 has no way to take them.
namespace pgmosaic::backend {

namespace {

constexpr std::int32_t kAuthenticationOk = 0;
constexpr std::int32_t kSasl = 10;
constexpr std::int32_t kSaslContinue = 11;
constexpr std::int32_t kSaslFinal = 12;
constexpr int kKeepaliveIdleSeconds = 10;

[[noreturn]] void refuse_login(SqlState code, std::string message, std::string detail = {}) {
    throw PgError(Error{.code = code, .message = std::move(message), .detail = std::move(detail), .severity = "FATAL"});
}

void set_option(int socket, int level, int name, int value) { ::setsockopt(socket, level, name, &value, sizeof value); }

bool is_directory_of_sockets(const std::string& host) { return host.starts_with('/'); }

Task<std::vector<asio::generic::stream_protocol::endpoint>> find_endpoints(const ServerAddress& address) {
    std::vector<asio::generic::stream_protocol::endpoint> endpoints;
    if (is_directory_of_sockets(address.host)) {
        endpoints.emplace_back(asio::local::stream_protocol::endpoint(address.host + "/.s.PGSQL." + std::to_string(address.port)));
        co_return endpoints;
    }
    asio::ip::tcp::resolver resolver(co_await asio::this_coro::executor);
    const auto found = co_await resolver.async_resolve(address.host, std::to_string(address.port), asio::use_awaitable);
    for (const auto& entry : found) endpoints.emplace_back(entry.endpoint());
    co_return endpoints;
}

void set_options(asio::generic::stream_protocol::socket& socket, const ServerAddress& address) {
    set_option(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(socket.native_handle(), SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(socket.native_handle(), IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveIdleSeconds);
    set_option(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, address.unacknowledged_max_ms);
}

void write_startup(std::string& out, const ServerAddress& address) {
    std::string body;
    wire::put_int32(body, wire::kProtocol3);
    const std::string options = address.options + " -c tcp_user_timeout=" + std::to_string(address.unacknowledged_max_ms);
    const std::pair<std::string_view, std::string_view> parameters[] = {
        {"user", address.user}, {"database", address.database}, {"options", options},
        {"application_name", address.application_name}, {"client_encoding", "UTF8"}};
    for (const auto& [name, value] : parameters) {
        body.append(name).push_back('\0');
        body.append(value).push_back('\0');
    }
    body.push_back('\0');
    wire::put_int32(out, static_cast<std::int64_t>(body.size() + 4));
    out += body;
}

bool offers(std::string_view mechanisms, std::string_view wanted) {
    wire::Reader reader(mechanisms);
    for (std::string_view name = reader.cstring(); !name.empty(); name = reader.cstring()) {
        if (name == wanted) return true;
    }
    return false;
}

}  // namespace

Task<Result<std::unique_ptr<Connection>>> Connection::open_with_keys(const ServerAddress& address, Deadline deadline) {
    Error failure{.code = sqlstate::kConnectionFailure, .severity = "FATAL"};
    const std::string where = "connection to server at \"" + address.host + "\", port " + std::to_string(address.port);
    std::unique_ptr<Connection> connection(new Connection(asio::generic::stream_protocol::socket(co_await asio::this_coro::executor)));
    const StreamDeadline guard(connection->stream_, deadline);
    try {
        co_await connection->connect(address);
        co_await connection->encrypt(address);
        co_await connection->log_in(address);
        co_return std::move(connection);
    } catch (const PgError& error) {
        failure = error.error();
    } catch (const boost::system::system_error& error) {
        if (error.code() == asio::error::operation_aborted) throw;
        failure.message = where + (guard.fired() ? " timed out" : " failed: " + error.code().message());
        const TlsChannel* tls = connection->stream_.tls();
        if (tls != nullptr && !tls->failure().empty()) failure.message += ": " + tls->failure();
    }
    co_return failure;
}

Task<> Connection::connect(const ServerAddress& address) {
    const auto endpoints = co_await find_endpoints(address);
    auto& socket = stream_.socket();
    boost::system::error_code error = asio::error::host_not_found;
    for (const auto& endpoint : endpoints) {
        boost::system::error_code ignored;
        socket.close(ignored);
        co_await socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
        if (!error) break;
    }
    if (error) throw boost::system::system_error(error);
    socket.non_blocking(true);
    if (!is_directory_of_sockets(address.host)) set_options(socket, address);
}

Task<> Connection::encrypt(const ServerAddress& address) {
    if (address.tls.mode == "disable" || is_directory_of_sockets(address.host)) co_return;
    wire::put_int32(out_, 8);
    wire::put_int32(out_, wire::kSslRequest);
    co_await stream_.write(out_);
    out_.clear();
    while (stream_.input().empty()) co_await stream_.fill();
    const char answer = stream_.input().unread()[0];
    // What came behind the answer was not encrypted, and must not pass for something that was (CVE-2021-23222).
    if (answer == 'S' && stream_.input().unread().size() > 1) {
        refuse_login(sqlstate::kProtocolViolation, "received unencrypted data after SSL response");
    }
    if (answer != 'S') {
        if (answer != 'N') refuse_login(sqlstate::kConnectionFailure, "the server did not answer an SSL request");
        if (address.tls.required()) refuse_login(sqlstate::kConnectionFailure, "server does not support SSL, but SSL was required");
        stream_.input().consume(1);
        co_return;
    }
    stream_.input().consume(1);
    const std::string name = address.tls.mode == "verify-full" ? address.host : std::string();
    co_await stream_.start_tls(std::make_unique<TlsChannel>(*address.tls.context, TlsChannel::Role::kClient, name));
}

Task<> Connection::log_in(const ServerAddress& address) {
    write_startup(out_, address);
    co_await stream_.write(out_);
    out_.clear();
    while (true) {
        const wire::Frame frame = co_await next();
        if (frame.type == 'E') throw PgError(wire::read_error(frame.body));
        if (frame.type == 'R') {
            wire::Reader reader(frame.body);
            const std::int32_t what = reader.int32();
            const std::string rest(reader.rest());
            consume(frame);
            if (what == kSasl) {
                co_await prove(address, rest);
            } else if (what != kAuthenticationOk) {
                refuse_login(sqlstate::kInvalidAuthorization, "the server asks for a password of user \"" + address.user + "\"",
                             "The role's password is known to pgmosaic as a SCRAM proof only.");
            }
            continue;
        }
        if (frame.type == 'K') {
            wire::Reader reader(frame.body);
            backend_pid_ = reader.int32();
            cancel_secret_ = reader.int32();
        }
        const bool ready = frame.type == 'Z';
        consume(frame);
        if (ready) co_return;
    }
}

Task<> Connection::prove(const ServerAddress& address, std::string_view mechanisms) {
    std::string binding;
    if (stream_.tls() != nullptr && offers(mechanisms, wire::kScramSha256Plus)) binding = stream_.tls()->peer_hash();
    if (binding.empty() && !offers(mechanisms, wire::kScramSha256)) {
        refuse_login(sqlstate::kInvalidAuthorization, "none of the server's SASL authentication mechanisms are supported");
    }
    wire::ScramClient client(*address.keys, binding, wire::random_nonce());
    const std::string first = client.first();
    wire::FrameWriter(out_, 'p').cstring(client.mechanism()).int32(static_cast<std::int64_t>(first.size())).bytes(first);
    co_await write();
    const std::string challenge = co_await next_authentication(kSaslContinue);
    wire::FrameWriter(out_, 'p').bytes(client.final(challenge));
    co_await write();
    const std::string verdict = co_await next_authentication(kSaslFinal);
    client.check(verdict);
}

Task<std::string> Connection::next_authentication(std::int32_t wanted) {
    const wire::Frame frame = co_await next();
    if (frame.type == 'E') throw PgError(wire::read_error(frame.body));
    wire::Reader reader(frame.body);
    if (frame.type != 'R' || reader.int32() != wanted) {
        refuse_login(sqlstate::kProtocolViolation, "unexpected message from the server during its login");
    }
    std::string rest(reader.rest());
    consume(frame);
    co_return rest;
}

}  // namespace pgmosaic::backend

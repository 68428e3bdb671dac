#include <openssl/rand.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>

#include "base/log.h"
#include "coordinator/authenticate.h"
#include "coordinator/internal/lost_errors.h"
#include "coordinator/login.h"
#include "coordinator/session.h"
#include "wire/reader.h"

namespace pgmosaic::coordinator {

namespace {

constexpr Clock::duration kAuthenticationTimeout = 60s;
// A server that is lost while it is asked who may come in: another one, or itself, answers soon. The pool waits for it.
constexpr int kGreetingsMax = 10;
constexpr Clock::duration kGreetAgain = 50ms;

Error bad_packet(const char* message) {
    return Error{.code = sqlstate::kProtocolViolation, .message = message, .severity = "FATAL"};
}

/// Bytes of a startup packet: a length word that counts itself, then the rest. Returns false at a clean end of file.
Task<bool> read_packet(backend::Stream& stream, std::string& body) {
    auto& input = stream.input();
    while (input.unread().size() < 4) {
        const bool first = input.empty();
        try {
            co_await stream.fill();
        } catch (const boost::system::system_error&) {
            if (first) co_return false;
            throw;
        }
    }
    const std::uint32_t length = wire::read_uint32(input.unread().data());
    if (length < 8 || length > wire::kStartupBytesMax + 4) throw PgError(bad_packet("invalid length of startup packet"));
    while (input.unread().size() < length) co_await stream.fill();
    body.assign(input.unread().substr(4, length - 4));
    input.consume(length);
    co_return true;
}

/// The value as it came, also where the setting is a list: SET would take it as one item.
std::string setting_sql(const std::string& name, const std::string& value) {
    return "SELECT pg_catalog.set_config(" + planner::quote_literal(name) + ", " + planner::quote_literal(value) + ", false)";
}

}  // namespace

CancelKey read_cancel_key(std::string_view body) {
    wire::Reader reader(body);
    reader.int32();
    return {.id = static_cast<std::uint32_t>(reader.int32()), .secret = static_cast<std::uint32_t>(reader.int32())};
}

namespace {

Task<> cancel_there(Core& core, CancelKey key) {
    for (Session* session : core.sessions()) {
        if (session->id() == key.id && session->secret() == key.secret) session->cancel();
    }
    co_return;
}

}  // namespace

Task<> cancel_session(Cluster& cluster, CancelKey key) {
    const auto number = key.id >> 24;
    if (number >= cluster.cores().size()) co_return;
    Core& core = *cluster.cores()[number];
    co_await asio::co_spawn(core.executor(), cancel_there(core, key), asio::use_awaitable);
}

/// Answers everything that may come before the real startup packet. False: the client wanted nothing else.
Task<bool> Session::negotiate() {
    std::string body;
    bool tls_done = false;
    bool gss_done = false;
    while (true) {
        const bool there = co_await read_packet(client_.stream(), body);
        if (!there) co_return false;
        wire::Reader reader(body);
        const std::int32_t code = reader.int32();
        const bool wants_tls = code == wire::kSslRequest && !tls_done;
        if (wants_tls || (code == wire::kGssEncRequest && !gss_done)) {
            co_await answer_encryption_request(wants_tls);
            // Each may be asked for once, in either order; encrypted already, neither.
            tls_done = tls_done || wants_tls;
            gss_done = gss_done || !wants_tls || client_.stream().tls() != nullptr;
            continue;
        }
        if (code == wire::kCancelRequest) {
            if (body.size() == 12) co_await cancel_session(core_.cluster(), read_cancel_key(body));
            co_return false;
        }
        read_startup(static_cast<std::uint32_t>(code), std::string_view(body).substr(4));
        co_return true;
    }
}

Task<> Session::answer_encryption_request(bool tls_wanted) {
    backend::Stream& stream = client_.stream();
    // Whatever came with the request was not encrypted, and must not pass for something that was (CVE-2021-23214).
    if (!stream.input().empty()) {
        throw PgError(Error{.code = sqlstate::kProtocolViolation,
                            .message = tls_wanted ? "received unencrypted data after SSL request"
                                                  : "received unencrypted data after GSSAPI encryption request",
                            .detail = "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.",
                            .severity = "FATAL"});
    }
    const std::shared_ptr<const backend::TlsContext> context = tls_wanted && !origin_.unix_socket ? core_.live().tls : nullptr;
    if (!context) {
        co_await stream.write("N");
        co_return;
    }
    co_await stream.write("S");
    bool failed = false;
    try {
        co_await stream.start_tls(std::make_unique<backend::TlsChannel>(*context, backend::TlsChannel::Role::kServer));
    } catch (const boost::system::system_error&) {
        failed = true;
    }
    if (!failed) co_return;
    spdlog::info("login tls_failed {} {}", log_field("host", origin_.host()), log_field("error", stream.tls()->failure()));
    throw boost::system::system_error(asio::error::connection_reset);
}

/// The real startup packet, behind its version.
void Session::read_startup(std::uint32_t version, std::string_view body) {
    const std::uint32_t major = version >> 16;
    const std::uint32_t minor = version & 0xFFFF;
    if (major != 3) {
        throw PgError(Error{.code = sqlstate::kFeatureNotSupported,
                            .message = "unsupported frontend protocol " + std::to_string(major) + "." + std::to_string(minor) +
                                       ": server supports 3.0 to 3.0",
                            .severity = "FATAL"});
    }
    std::vector<std::string> unknown;
    for (auto& [name, value] : wire::read_startup_parameters(body)) {
        if (name.starts_with("_pq_.")) unknown.push_back(name);
        else apply_startup_parameter(name, value);
    }
    if (minor == 0 && unknown.empty()) return;
    wire::FrameWriter frame(client_.out(), 'v');
    frame.int32(wire::kProtocol3).int32(static_cast<std::int64_t>(unknown.size()));
    for (const std::string& name : unknown) frame.cstring(name);
}

void Session::apply_startup_parameter(const std::string& name, const std::string& value) {
    if (name == "user") {
        user_ = value;
    } else if (name == "database") {
        database_name_ = value;
    } else if (name == "options") {
        apply_startup_options(value);
    } else if (name == "replication") {
        if (value == "0" || value == "false" || value == "off" || value == "no") return;
        throw PgError(Error{.code = sqlstate::kFeatureNotSupported,
                            .message = "replication connections are not offered",
                            .hint = "Connect to the shard's server itself.",
                            .severity = "FATAL"});
    } else {
        if (name == "application_name") application_name_ = value;
        settings_ = core_.settings().with(settings_, {lower(name), setting_sql(lower(name), value)});
    }
}

/// `-c name=value`, `-cname=value`, `--name=value`; a backslash keeps the next character, as in PostgreSQL.
void Session::apply_startup_options(std::string_view options) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    for (std::size_t i = 0; i < options.size(); ++i) {
        char c = options[i];
        if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            if (in_word) words.push_back(std::exchange(word, {}));
            in_word = false;
            continue;
        }
        if (c == '\\' && i + 1 < options.size()) c = options[++i];
        word += c;
        in_word = true;
    }
    if (in_word) words.push_back(word);
    for (std::size_t i = 0; i < words.size(); ++i) {
        std::string text = words[i];
        if (text == "-c" && i + 1 < words.size()) text = words[++i];
        else if (text.starts_with("-c") || text.starts_with("--")) text = text.substr(2);
        else throw PgError(Error{.code = sqlstate::kSyntaxError, .message = "invalid command-line argument for server process: " + text, .severity = "FATAL"});
        const std::size_t equals = text.find('=');
        if (equals == std::string::npos) {
            throw PgError(Error{.code = sqlstate::kSyntaxError, .message = "-c " + text + " requires a value", .severity = "FATAL"});
        }
        std::string name = lower(text.substr(0, equals));
        std::replace(name.begin(), name.end(), '-', '_');
        apply_startup_parameter(name, text.substr(equals + 1));
    }
}

Task<bool> Session::login() {
    backend::StreamDeadline guard(client_.stream(), Deadline::after(kAuthenticationTimeout));
    std::optional<Error> failure;
    try {
        if (!co_await negotiate()) co_return false;
        if (user_.empty()) {
            throw PgError(Error{.code = sqlstate::kInvalidAuthorization,
                                .message = "no PostgreSQL user name specified in startup packet",
                                .severity = "FATAL"});
        }
        if (database_name_.empty()) database_name_ = user_;
        co_await authenticate_and_greet();
        co_return true;
    } catch (const PgError& error) {
        failure = error.error();
    }
    failure->severity = "FATAL";
    wire::write_error(client_.out(), *failure);
    co_await client_.flush();
    co_return false;
}

void Session::check_client_limits() const {
    std::size_t clients = 0;
    for (Core* core : core_.cluster().cores()) clients += core->sessions_count();
    if (clients > static_cast<std::size_t>(core_.live().clients_max)) {
        throw PgError(Error{.code = sqlstate::kTooManyConnections, .message = "sorry, too many clients already"});
    }
}

Task<> Session::authenticate_and_greet() {
    if (stopping_) throw PgError(Error{.code = sqlstate::kAdminShutdown, .message = "the database system is shutting down"});
    check_client_limits();
    co_await authenticate(*this);
    seat_ = core_.cluster().seats().take(user_, database_name_, core_.live());
    database_ = core_.cluster().database(database_name_);
    startup_settings_ = settings_;
    const std::uint64_t begin = client_.position();
    for (int attempt = 1;; ++attempt) {
        bool is_lost = false;
        try {
            co_await greet();
        } catch (const backend::ConnectionLost&) {
            if (attempt == kGreetingsMax) throw PgError(server_lost());
            is_lost = true;
        } catch (const PgError& error) {
            // A server's last words; ours, while we stop, are meant.
            is_lost = error.error().code == sqlstate::kConnectionFailure || error.error().code == sqlstate::kAdminShutdown;
            if (!is_lost || stopping_ || attempt == kGreetingsMax) throw;
        }
        if (!is_lost) break;
        relay_.clear();
        forget_lost_servers();
        release_statement_leases();
        if (!client_.take_back(begin)) throw PgError(server_lost());
        asio::steady_timer timer(co_await asio::this_coro::executor, kGreetAgain);
        co_await timer.async_wait(asio::use_awaitable);
    }
    ready();
    co_await client_.flush();
}

/// The role and the database are known to the servers, not to us: a server session of that user says whether it may. Nothing of
/// this has gone to the client when it returns.
Task<> Session::greet() {
    Participant* participant = co_await use_shard(home(), false);
    if (!participant->connection().out().empty()) {
        relay_.reset();
        for (; participant->ready_to_skip > 0; --participant->ready_to_skip) relay_.expect({.forward = false});
        co_await relay_.drain(participant->connection(), client_);
        if (relay_.failed()) {
            participant->connection().broken = true;
            const Error error = relay_.error();
            release_statement_leases();
            throw PgError(error);
        }
    }
    std::string& out = client_.out();
    wire::FrameWriter(out, 'R').int32(0);
    for (const auto& [name, value] : participant->connection().parameters()) wire::write_parameter_status(out, name, value);
    release_statement_leases();
    co_await refresh_environment();
    wire::FrameWriter(out, 'K').int32(id_).int32(secret_);
}

}  // namespace pgmosaic::coordinator

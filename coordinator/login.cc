#include <openssl/rand.h>

#include <boost/system/system_error.hpp>

#include "coordinator/login.h"
#include "coordinator/session.h"
#include "wire/reader.h"

namespace pgmosaic::coordinator {

namespace {

constexpr Clock::duration kAuthenticationTimeout = 60s;

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

void cancel_session(Cluster& cluster, CancelKey key) {
    const auto core = key.id >> 24;
    if (core >= cluster.cores().size()) return;
    Core* home = cluster.cores()[core];
    asio::post(home->executor(), [home, key] {
        for (Session* session : home->sessions()) {
            if (session->id() == key.id && session->secret() == key.secret) session->cancel();
        }
    });
}

/// Answers everything that may come before the real startup packet. False: the client wanted nothing else.
Task<bool> Session::negotiate() {
    std::string body;
    while (true) {
        if (!co_await read_packet(client_.stream(), body)) co_return false;
        wire::Reader reader(body);
        const std::int32_t code = reader.int32();
        if (code == wire::kSslRequest || code == wire::kGssEncRequest) {
            // Encryption is not offered in this version; bytes that came with the request would be an attack.
            if (!client_.stream().input().empty()) throw PgError(bad_packet("received unencrypted data after SSL request"));
            co_await client_.stream().write("N");
            continue;
        }
        if (code == wire::kCancelRequest) {
            if (body.size() == 12) cancel_session(core_.cluster(), read_cancel_key(body));
            co_return false;
        }
        const int major = code >> 16;
        const int minor = code & 0xFFFF;
        if (major != 3) {
            throw PgError(Error{.code = sqlstate::kFeatureNotSupported,
                                .message = "unsupported frontend protocol " + std::to_string(major) + "." +
                                           std::to_string(minor) + ": server supports 3.0 to 3.0",
                                .severity = "FATAL"});
        }
        auto parameters = wire::read_startup_parameters(std::string_view(body).substr(4));
        std::vector<std::string> unknown;
        for (auto& [name, value] : parameters) {
            if (name.starts_with("_pq_.")) unknown.push_back(name);
            else apply_startup_parameter(name, value);
        }
        if (minor > 0 || !unknown.empty()) {
            wire::FrameWriter frame(client_.out(), 'v');
            frame.int32(wire::kProtocol3).int32(static_cast<std::int64_t>(unknown.size()));
            for (const std::string& name : unknown) frame.cstring(name);
        }
        co_return true;
    }
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

Task<> Session::authenticate_and_greet() {
    if (!local_) {
        throw PgError(Error{.code = sqlstate::kInvalidAuthorization,
                            .message = "no authentication method is available for connections from other hosts",
                            .hint = "Connect over the loopback interface or a Unix socket."});
    }
    if (stopping_) throw PgError(Error{.code = sqlstate::kAdminShutdown, .message = "the database system is shutting down"});
    std::size_t clients = 0;
    for (Core* core : core_.cluster().cores()) clients += core->sessions_count();
    if (clients > static_cast<std::size_t>(core_.cluster().options().clients_max)) {
        throw PgError(Error{.code = sqlstate::kTooManyConnections, .message = "sorry, too many clients already"});
    }
    database_ = core_.cluster().database(database_name_);
    startup_settings_ = settings_;
    // The role and the database are known to the servers, not to us: a server session of that user says whether it may.
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
    ready();
    co_await client_.flush();
}

}  // namespace pgmosaic::coordinator

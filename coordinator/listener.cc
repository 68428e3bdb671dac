#include "coordinator/listener.h"

#include <unistd.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/log.h"
#include "coordinator/session.h"

namespace pgmosaic::coordinator {

namespace {

constexpr int kBacklog = 4096;

Error address_error(const std::string& address, const boost::system::error_code& error) {
    return Error{.code = error == asio::error::address_in_use ? sqlstate::kObjectInUse : sqlstate::kIoError,
                 .message = "could not listen on \"" + address + "\": " + error.message(),
                 .hint = error == asio::error::address_in_use ? "Is another server running there? Choose another port." : ""};
}

Task<> run_session(Core& core, asio::generic::stream_protocol::socket socket, ClientOrigin origin, std::uint32_t id) {
    Session session(core, std::move(socket), std::move(origin), id);
    co_await session.run();
}

/// Numbers of sessions carry their core, so that a cancel request finds it; 24 bits go round.
std::uint32_t next_id(const Core& core) {
    static std::atomic<std::uint32_t> number{0};
    return (static_cast<std::uint32_t>(core.number()) << 24) | ((number.fetch_add(1) + 1) & 0xFFFFFF);
}

void begin_session(Core& core, asio::generic::stream_protocol::socket socket, ClientOrigin origin) {
    const std::uint32_t id = next_id(core);
    core.tasks().spawn(run_session(core, std::move(socket), std::move(origin), id));
}

ClientOrigin tcp_origin(const asio::ip::tcp::socket& socket) {
    boost::system::error_code ignored;
    asio::ip::address address = socket.remote_endpoint(ignored).address();
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    return {.address = address};
}

}  // namespace

Listener::~Listener() { close(); }

Result<void> Listener::open(const std::vector<std::string>& addresses) {
    std::string port = "6432";
    for (const std::string& address : addresses) {
        if (address.starts_with("unix:")) continue;
        const std::size_t colon = address.rfind(':');
        if (colon == std::string::npos) {
            return Error{.code = sqlstate::kConfigFileError, .message = "not an address to listen on: \"" + address + "\"", .hint = "Write host:port or unix:/directory."};
        }
        port = address.substr(colon + 1);
        if (auto opened = open_tcp(address.substr(0, colon), port); !opened) return opened.error();
    }
    for (const std::string& address : addresses) {
        if (!address.starts_with("unix:")) continue;
        if (auto opened = open_unix(address.substr(5), port); !opened) return opened.error();
    }
    return {};
}

Result<void> Listener::open_tcp(const std::string& host, const std::string& port) {
    asio::io_context& context = cluster_.cores().front()->context();
    boost::system::error_code error;
    asio::ip::tcp::resolver resolver(context);
    const auto found = resolver.resolve(host, port, asio::ip::tcp::resolver::passive, error);
    if (error || found.empty()) return address_error(host + ":" + port, error);
    asio::ip::tcp::acceptor acceptor(context);
    const auto endpoint = found.begin()->endpoint();
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(kBacklog, error);
    if (error) return address_error(host + ":" + port, error);
    tcp_.push_back(std::move(acceptor));
    return {};
}

Result<void> Listener::open_unix(const std::string& directory, const std::string& port) {
    const std::string path = directory + "/.s.PGSQL." + port;
    if (path.size() > 107) {
        return Error{.code = sqlstate::kConfigFileError, .message = "Unix socket path \"" + path + "\" is too long (maximum 107 bytes)"};
    }
    asio::io_context& context = cluster_.cores().front()->context();
    boost::system::error_code error;
    ::unlink(path.c_str());  // the port is ours (its TCP address was bound first): the file is a dead process's
    asio::local::stream_protocol::acceptor acceptor(context);
    acceptor.open(asio::local::stream_protocol(), error);
    if (!error) acceptor.bind(asio::local::stream_protocol::endpoint(path), error);
    if (!error) acceptor.listen(kBacklog, error);
    if (error) return address_error("unix:" + directory, error);
    unlink_.push_back(path);
    unix_.push_back(std::move(acceptor));
    return {};
}

void Listener::start() {
    TaskGroup& tasks = cluster_.cores().front()->tasks();
    for (auto& acceptor : tcp_) tasks.spawn(accept_tcp(acceptor));
    for (auto& acceptor : unix_) tasks.spawn(accept_unix(acceptor));
}

void Listener::close() {
    boost::system::error_code ignored;
    for (auto& acceptor : tcp_) acceptor.close(ignored);
    for (auto& acceptor : unix_) acceptor.close(ignored);
    for (const std::string& path : unlink_) ::unlink(path.c_str());
    unlink_.clear();
}

Core& Listener::emptiest() const {
    Core* best = cluster_.cores().front();
    for (Core* core : cluster_.cores()) {
        if (core->sessions_count() < best->sessions_count()) best = core;
    }
    return *best;
}

Task<> Listener::accept_tcp(asio::ip::tcp::acceptor& acceptor) {
    while (acceptor.is_open()) {
        Core& core = emptiest();
        boost::system::error_code error;
        asio::ip::tcp::socket socket = co_await acceptor.async_accept(core.context(), asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::operation_aborted || !acceptor.is_open()) co_return;
        if (error) {
            // Too many open files, most likely: clients wait in the backlog until some are closed.
            spdlog::warn("listener accept_failed {}", log_field("error", error.message()));
            asio::steady_timer pause(co_await asio::this_coro::executor, 50ms);
            co_await pause.async_wait(asio::use_awaitable);
            continue;
        }
        boost::system::error_code ignored;
        socket.set_option(asio::ip::tcp::no_delay(true), ignored);
        socket.set_option(asio::socket_base::keep_alive(true), ignored);
        const ClientOrigin origin = tcp_origin(socket);
        auto generic = std::make_shared<asio::generic::stream_protocol::socket>(std::move(socket));
        asio::post(core.executor(), [&core, generic, origin] { begin_session(core, std::move(*generic), origin); });
    }
}

Task<> Listener::accept_unix(asio::local::stream_protocol::acceptor& acceptor) {
    while (acceptor.is_open()) {
        Core& core = emptiest();
        boost::system::error_code error;
        asio::local::stream_protocol::socket socket =
            co_await acceptor.async_accept(core.context(), asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::operation_aborted || !acceptor.is_open()) co_return;
        if (error) {
            asio::steady_timer pause(co_await asio::this_coro::executor, 50ms);
            co_await pause.async_wait(asio::use_awaitable);
            continue;
        }
        auto generic = std::make_shared<asio::generic::stream_protocol::socket>(std::move(socket));
        asio::post(core.executor(), [&core, generic] { begin_session(core, std::move(*generic), {.unix_socket = true}); });
    }
}

}  // namespace pgmosaic::coordinator

#include "coordinator/console.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/log.h"
#include "coordinator/core.h"
#include "coordinator/internal/console_pages.h"

namespace pgmosaic::coordinator {

namespace {

constexpr std::size_t kRequestMax = 8192;
constexpr auto kRequestTime = 5s;

std::string_view reason_of(int status) {
    if (status == 200) return "OK";
    return status == 404 ? "Not Found" : "Service Unavailable";
}

std::string response_of(const ConsolePage& page, bool with_body) {
    return "HTTP/1.1 " + std::to_string(page.status) + " " + std::string(reason_of(page.status)) +
           "\r\nContent-Type: " + page.type + "\r\nContent-Length: " + std::to_string(page.body.size()) +
           "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n" + (with_body ? page.body : "");
}

ConsoleFacts facts_now(const Cluster& cluster) {
    ConsoleFacts facts{.map_version = cluster.map_version()};
    if (cluster.shard_status) facts.shards = cluster.shard_status();
    for (const Core* core : cluster.cores()) facts.clients += core->sessions_count();
    return facts;
}

/// Up to the empty line; what comes behind it is not for us.
Task<std::string> read_request(backend::Stream& stream) {
    while (stream.input().unread().find("\r\n\r\n") == std::string_view::npos && stream.input().unread().size() < kRequestMax) {
        co_await stream.fill();
    }
    co_return std::string(stream.input().unread());
}

}  // namespace

Result<void> Console::open(const std::string& address) {
    if (address.empty()) return {};
    const std::size_t colon = address.rfind(':');
    std::string host = address.substr(0, colon);
    if (host.starts_with("[")) host = host.substr(1, host.size() - 2);
    asio::io_context& context = cluster_.cores().front()->context();
    boost::system::error_code error;
    asio::ip::tcp::resolver resolver(context);
    const auto found = resolver.resolve(host, address.substr(colon + 1), asio::ip::tcp::resolver::passive, error);
    if (!error && !found.empty()) {
        asio::ip::tcp::acceptor acceptor(context);
        const auto endpoint = found.begin()->endpoint();
        acceptor.open(endpoint.protocol(), error);
        if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
        if (!error) acceptor.bind(endpoint, error);
        if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
        if (!error) acceptor_.emplace(std::move(acceptor));
    }
    if (acceptor_) return {};
    return Error{.code = error == asio::error::address_in_use ? sqlstate::kObjectInUse : sqlstate::kConfigFileError,
                 .message = "could not serve the console at \"" + address + "\": " + error.message(),
                 .hint = "Change listen.console."};
}

void Console::start() {
    if (acceptor_) cluster_.cores().front()->tasks().spawn(accept());
}

void Console::close() {
    boost::system::error_code ignored;
    if (acceptor_) acceptor_->close(ignored);
}

Task<> Console::accept() {
    while (acceptor_->is_open()) {
        boost::system::error_code error;
        asio::ip::tcp::socket socket = co_await acceptor_->async_accept(asio::redirect_error(asio::use_awaitable, error));
        if (error == asio::error::operation_aborted || !acceptor_->is_open()) co_return;
        if (!error) cluster_.cores().front()->tasks().spawn(answer(std::move(socket)));
    }
}

Task<> Console::answer(asio::ip::tcp::socket socket) {
    backend::Stream stream{asio::generic::stream_protocol::socket(std::move(socket))};
    const backend::StreamDeadline guard(stream, Deadline::after(kRequestTime));
    try {
        const std::string request = co_await read_request(stream);
        const ConsolePage page = console_page(requested_path(request), facts_now(cluster_));
        const std::string response = response_of(page, !request.starts_with("HEAD"));
        co_await stream.write(response);
    } catch (const boost::system::system_error&) {
        // It went away, or said nothing for too long: there is nobody to be told.
    }
    stream.shutdown();
}

}  // namespace pgmosaic::coordinator

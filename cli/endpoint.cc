#include "cli/endpoint.h"

#include <charconv>

#include "coordinator/server.h"
#include "coordinator/server_options.h"

namespace pgmosaic::cli {

namespace {

/// `host:port`, checked by the configuration already.
EndpointAddress split_address(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    EndpointAddress split{.host = address.substr(0, colon)};
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), split.port);
    if (split.host.front() == '[') split.host = split.host.substr(1, split.host.size() - 2);
    return split;
}

coordinator::ServerOptions server_options(const Config& config, int workbench_pid) {
    coordinator::ServerOptions options;
    options.cluster = config.cluster;
    options.listen = config.listen_postgres;
    options.console = config.listen_console;
    options.threads = static_cast<int>(config.threads);
    options.clients_max = static_cast<int>(config.max_clients);
    options.per_shard_max = static_cast<int>(config.pool_per_shard);
    options.wait_timeout = config.pool_wait_timeout;
    options.service_user = config.servers_user;
    options.service_password = config.servers_password;
    if (!config.workbench.empty()) {
        const EndpointAddress workbench = split_address(config.workbench);
        options.workbench_host = workbench.host;
        options.workbench_port = workbench.port;
        options.workbench_pid = workbench_pid;
    }
    options.workbench_bytes_max = static_cast<std::uint64_t>(config.workbench_max_bytes);
    options.memory_bytes_max = static_cast<std::uint64_t>(config.memory_bytes);
    options.automatic_failover = config.failover_automatic;
    options.failover_detect = config.failover_detect;
    options.commit_tokens = config.failover_commit_tokens;
    options.without_standby_continue = config.failover_without_standby == "continue";
    options.settings_shown = config.shown;
    return options;
}

}  // namespace

EndpointAddress endpoint_address(const Config& config) {
    for (const std::string& address : config.listen_postgres) {
        if (address.starts_with("unix:")) continue;
        EndpointAddress split = split_address(address);
        if (split.host == "0.0.0.0" || split.host == "*") split.host = "127.0.0.1";
        if (split.host == "::") split.host = "::1";
        return split;
    }
    return {};
}

std::string endpoint_conninfo(const EndpointAddress& address, const std::string& user, const std::string& database) {
    return "host=" + address.host + " port=" + std::to_string(address.port) + " user=" + user + " dbname=" + database +
           " application_name=pgmosaic-cli sslmode=prefer gssencmode=disable client_encoding=UTF8";
}

struct Endpoint::State {
    coordinator::Server server;
};

Endpoint::Endpoint(const Config& config, std::shared_ptr<store::Store> store, node::NodeControl* nodes, int workbench_pid)
    : state_(new State{coordinator::Server(server_options(config, workbench_pid), std::move(store), nodes)}) {}

Result<void> Endpoint::listen() { return state_->server.listen(); }
void Endpoint::run() { state_->server.run(); }
void Endpoint::stop() { state_->server.stop(); }

Endpoint::~Endpoint() = default;

}  // namespace pgmosaic::cli

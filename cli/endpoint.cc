#include "cli/endpoint.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>

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

coordinator::ServerOptions server_options(const Config& config, LocalServers local) {
    coordinator::ServerOptions options;
    options.cluster = config.cluster;
    options.listen = config.listen_postgres;
    options.console = config.listen_console;
    options.threads = static_cast<int>(config.threads);
    options.session_pooling = config.pool_mode == "session";
    options.service_user = config.servers_user;
    options.service_password = config.servers_password;
    if (!config.workbench.empty()) {
        const EndpointAddress workbench = split_address(config.workbench);
        options.workbench_host = workbench.host;
        options.workbench_port = workbench.port;
        options.workbench_pid = local.workbench_pid;
    }
    // Encryption is asked for on TCP only.
    if (config.tls_servers == "disable" || config.tls_servers == "prefer") options.socket_directory = std::move(local.socket_directory);
    options.memory_bytes_max = static_cast<std::uint64_t>(config.memory_bytes);
    options.failover_detect = config.failover_detect;
    options.commit_tokens = config.failover_commit_tokens;
    options.without_standby_continue = config.failover_without_standby == "continue";
    return options;
}

/// Where libpq looks for who may sign servers' certificates, if nobody says.
std::string usual_root_certificate() {
    const char* home = std::getenv("HOME");
    const std::string file = std::string(home != nullptr ? home : "") + "/.postgresql/root.crt";
    std::error_code unreadable;  // another user's home, after `up` has become the servers' user
    return std::filesystem::exists(file, unreadable) ? file : "";
}

Result<backend::ServerTls> server_tls(const Config& config) {
    backend::ServerTls tls{.mode = config.tls_servers, .ca = config.tls_servers_ca};
    if (tls.mode == "disable") return tls;
    std::string ca = tls.ca.empty() ? usual_root_certificate() : tls.ca;
    if (tls.verified() && ca.empty()) {
        return Error{.code = sqlstate::kConfigFileError,
                     .message = "tls.servers \"" + tls.mode + "\" needs tls.servers_ca, or the file ~/.postgresql/root.crt"};
    }
    if (!tls.verified() && tls.ca.empty()) ca.clear();
    auto context = backend::TlsContext::for_servers(ca);
    if (!context) return context.error();
    tls.context = *context;
    return tls;
}

Result<coordinator::LivePointer> live_options(const Config& config) {
    auto live = std::make_shared<coordinator::Live>();
    live->clients_max = static_cast<int>(config.max_clients);
    live->clients_per_user_max = static_cast<int>(config.clients_per_user);
    live->clients_per_database_max = static_cast<int>(config.clients_per_database);
    live->per_shard_max = static_cast<int>(config.pool_per_shard);
    live->wait_timeout = config.pool_wait_timeout;
    live->workbench_bytes_max = static_cast<std::uint64_t>(config.workbench_max_bytes);
    live->automatic_failover = config.failover_automatic;
    live->settings_shown = config.shown;
    live->tls_required = config.tls_mode == "require";
    auto access = coordinator::AccessRules::make(config.auth);
    if (!access) return access.error();
    live->access = std::move(*access);
    if (config.tls_mode != "disable" && !config.tls_certificate.empty()) {
        auto tls = backend::TlsContext::for_clients(
            {.certificate = config.tls_certificate, .key = config.tls_key, .client_ca = config.tls_client_ca});
        if (!tls) return tls.error();
        live->tls = *tls;
    }
    return coordinator::LivePointer(std::move(live));
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

Endpoint::Endpoint(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Endpoint>> Endpoint::make(const Config& config, std::shared_ptr<store::Store> store, LocalServers local) {
    auto live = live_options(config);
    if (!live) return live.error();
    auto tls = server_tls(config);
    if (!tls) return tls.error();
    node::NodeControl* nodes = local.nodes;
    coordinator::ServerOptions options = server_options(config, std::move(local));
    options.server_tls = std::move(*tls);
    std::unique_ptr<State> state(new State{coordinator::Server(std::move(options), std::move(*live), std::move(store), nodes)});
    return std::unique_ptr<Endpoint>(new Endpoint(std::move(state)));
}

Result<void> Endpoint::listen() { return state_->server.listen(); }
void Endpoint::run() { state_->server.run(); }
void Endpoint::stop() { state_->server.stop(); }

Result<void> Endpoint::reload(const Config& config) {
    auto live = live_options(config);
    if (!live) return live.error();
    state_->server.use_live(std::move(*live));
    return {};
}

Endpoint::~Endpoint() = default;

}  // namespace pgmosaic::cli

#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/settings.h"
#include "replication/node/node_control.h"
#include "shardmap/store/store.h"

namespace pgmosaic::cli {

/// Where a configuration's endpoint is reached from this machine.
struct EndpointAddress {
    std::string host{};
    std::uint16_t port = 0;
};

/// The first TCP address of listen.postgres; 0.0.0.0 becomes 127.0.0.1. Port 0: it listens on sockets only.
EndpointAddress endpoint_address(const Config& config);
std::string endpoint_conninfo(const EndpointAddress& address, const std::string& user, const std::string& database);

/// The servers that this process looks after itself, on this machine.
struct LocalServers {
    node::NodeControl* nodes = nullptr;  ///< outlives the endpoint
    int workbench_pid = 0;
    std::string socket_directory{};      ///< of all of them; empty: they listen on TCP only
};

/// The coordinator, made from a configuration.
///
/// Core      none: run() blocks until stop(), which may be called from any thread
class Endpoint {
   public:
    /// Errors: F0000 a file that the configuration names cannot be used.
    static Result<std::unique_ptr<Endpoint>> make(const Config& config, std::shared_ptr<store::Store> store, LocalServers local);
    Endpoint(const Endpoint&) = delete;
    Endpoint& operator=(const Endpoint&) = delete;
    ~Endpoint();

    Result<void> listen();
    void run();
    void stop();
    /// Takes what may change while it runs (see Setting::reloads). Any thread. Errors: as make(); nothing has changed then.
    Result<void> reload(const Config& config);

   private:
    struct State;
    explicit Endpoint(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace pgmosaic::cli

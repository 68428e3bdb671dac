#pragma once

#include <memory>

#include "base/error.h"
#include "coordinator/live.h"
#include "coordinator/server_options.h"
#include "replication/node/node_control.h"
#include "shardmap/store/store.h"

namespace pgmosaic::coordinator {

/// The endpoint: listeners, one core per thread, recovery, and the supervision of the shards.
///
/// Core      none: run() blocks its thread until stop(), which any thread may call
/// Errors    listen(): 55006 an address is in use, F0000 an address that cannot be read; the store's when it has no map
class Server {
   public:
    /// `nodes` may be null: servers are then not started or rebuilt from here.
    Server(ServerOptions options, LivePointer live, std::shared_ptr<store::Store> store, node::NodeControl* nodes);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    Result<void> listen();
    void run();
    void stop();
    /// What SIGHUP brought. Any thread.
    void use_live(LivePointer live);

   private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace pgmosaic::coordinator

#pragma once

#include <functional>
#include <string>

#include "replication/internal/node_look.h"
#include "replication/internal/server_session.h"
#include "replication/internal/wake.h"
#include "replication/node/node_control.h"
#include "shardmap/shard.h"

namespace pgmosaic::replication {

/// Looks at one server again and again, on a session of its own; hangs as long as the server does, and nobody else with it.
///
/// Core      the supervisor's
/// Lifetime  run() ends by cancellation only; the object outlives it
/// Bound     one attempt takes a second at most
class NodeProbe {
   public:
    NodeProbe(asio::any_io_executor executor, const shardmap::Node& node, backend::ServerAddress address,
              node::NodeControl* nodes, Clock::duration interval, std::function<void()> on_look);

    Task<> run();
    const NodeLook& look() const { return look_; }
    /// Looks as often as it can while something is going on.
    void set_hurry(bool hurry);
    /// Ends the present pause.
    void look_now() { pause_.notify(); }
    /// This process did not run for that long: nobody else was silent meanwhile.
    void forgive(Clock::duration slept);

   private:
    Task<> attempt();
    Task<> ask_twice();
    Task<Result<Facts>> ask(Deadline deadline);
    Task<Result<void>> identify(Deadline deadline);
    Task<> pause();
    bool process_is_gone() const;
    void failed(const Error& error, bool timed_out);

    const NodeId node_;
    const Clock::duration interval_;
    node::NodeControl* const nodes_;
    const std::function<void()> on_look_;
    NodeLook look_;
    Wake pause_;
    ServerSession session_;
    bool hurry_ = false;
    bool identified_ = false;
};

}  // namespace pgmosaic::replication

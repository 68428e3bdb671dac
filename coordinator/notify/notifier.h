#pragma once

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "backend/pool.h"
#include "coordinator/core.h"
#include "coordinator/notify/listeners.h"

namespace pgmosaic::coordinator::notify {

/// Listens for all clients. A notification is raised on one shard (NOTIFY at home, a trigger's on its row's shard) and PostgreSQL
/// delivers it at that shard's commit; so one server session per shard and database listens to what any client listens to, and
/// passes it on to the cores. Clients need no server session of their own for it.
///
/// Core      runs on the one it was given; claim() and release() may be called on any, and are guarded by a mutex
/// Lifetime  outlives the sessions; its tasks are the core's
/// Errors    subscribe(): 57P03 if a shard could not be listened to before the deadline
/// Bound     one connection per shard and database that is listened to
class Notifier {
   public:
    explicit Notifier(Core& core);
    ~Notifier();
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;

    Core& core() { return core_; }
    /// What is committed on any shard after this has returned is heard.
    Task<> subscribe(std::string database, std::string channel);
    void unsubscribe(const std::string& database, const std::string& channel);
    /// Returns when what was committed on the shard before has been handed to the cores; at once if nobody listens, or the server
    /// session is being made anew.
    Task<> catch_up(std::string database, ShardId shard);

    /// What this server process notifies from now on is this client's.
    void claim(ShardId shard, int server_pid, std::uint32_t client);
    void release(ShardId shard, int server_pid);

   private:
    struct Place;
    struct Listened;
    struct Ticket;
    Task<> serve(Listened& listened, Place& place);
    Task<> listen_until_lost(Listened& listened, Place& place);
    static void ask(Place& place, std::string_view sql);
    void take(const Listened& listened, Place& place, const wire::Frame& frame);
    static void wake(Place& place);
    static Ticket ticket_of(const Place& place);
    static bool is_done(const Place& place, const Ticket& ticket);
    Task<bool> wait_for(Place& place, Ticket ticket, Deadline deadline);

    Core& core_;
    backend::Pool pool_;
    std::map<std::string, std::unique_ptr<Listened>> databases_;  ///< never forgotten: coroutines refer to them
    std::mutex mutex_;
    std::map<std::pair<ShardId, int>, std::uint32_t> claims_;
};

}  // namespace pgmosaic::coordinator::notify

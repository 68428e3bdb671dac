#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace pgmosaic::coordinator {
class Session;
}

namespace pgmosaic::coordinator::notify {

/// What a client is told: NOTIFY's channel and payload, and whose it is.
struct Notification {
    std::string database;
    std::string channel;
    std::string payload;
    std::uint32_t from = 0;  ///< the client's process id as it knows it; 0: none of ours, or it cannot be told
};

/// The sessions of one core that listen, by channel.
///
/// Lifetime  a session removes itself before it ends
class Listeners {
   public:
    void add(Session& session, const std::string& database, const std::string& channel);
    void remove(Session& session, const std::string& database, const std::string& channel);
    void deliver(const Notification& notification) const;

   private:
    std::map<std::pair<std::string, std::string>, std::set<Session*>> sessions_;
};

}  // namespace pgmosaic::coordinator::notify

#include "coordinator/notify/listeners.h"

#include "coordinator/session.h"

namespace pgmosaic::coordinator::notify {

void Listeners::add(Session& session, const std::string& database, const std::string& channel) {
    sessions_[{database, channel}].insert(&session);
}

void Listeners::remove(Session& session, const std::string& database, const std::string& channel) {
    const auto found = sessions_.find({database, channel});
    if (found == sessions_.end()) return;
    found->second.erase(&session);
    if (found->second.empty()) sessions_.erase(found);
}

void Listeners::deliver(const Notification& notification) const {
    const auto found = sessions_.find({notification.database, notification.channel});
    if (found == sessions_.end()) return;
    for (Session* session : found->second) session->notified(notification);
}

}  // namespace pgmosaic::coordinator::notify

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "coordinator/notify/notifier.h"
#include "coordinator/session.h"

/// LISTEN, UNLISTEN, and what a session does about notifications: docs/transaction_path.md.
namespace pgmosaic::coordinator {

namespace {

using Kind = Transaction::ChannelChange::Kind;

std::set<std::string> changed(std::set<std::string> channels, const std::vector<Transaction::ChannelChange>& changes) {
    for (const Transaction::ChannelChange& change : changes) {
        switch (change.kind) {
            case Kind::kListen: channels.insert(change.channel); break;
            case Kind::kUnlisten: channels.erase(change.channel); break;
            case Kind::kUnlistenAll: channels.clear(); break;
        }
    }
    return channels;
}

Error too_many_notifications() {
    return Error{.code = sqlstate::kConfigurationLimitExceeded,
                 .message = "the notifications that wait for this client need more memory than limits.memory allows",
                 .detail = "A client that listens must read what it is told, and end its transactions."};
}

}  // namespace

Task<> Session::run_listen(const planner::Statement& statement) {
    const bool listens = statement.command == planner::Command::kListen;
    const Kind kind = listens ? Kind::kListen : statement.name.empty() ? Kind::kUnlistenAll : Kind::kUnlisten;
    transaction_.channel_changes().push_back({kind, statement.name});
    if (!transaction_.open()) {
        const std::set<std::string> target = changed(channels_, transaction_.channel_changes());
        transaction_.channel_changes().clear();
        co_await listen_to(target);
        keep_channels(target);
    }
    wire::write_command_complete(answer(), statement.tag);
}

/// What the transaction listens to if it commits. They are heard from before the COMMIT on: a notification that is committed after it
/// must not be missed.
Task<std::set<std::string>> Session::channels_at_commit() {
    std::set<std::string> target = changed(channels_, transaction_.channel_changes());
    co_await listen_to(target);
    co_return std::move(target);
}

/// Listens to what is new in `target`; keep_channels() leaves what is not in it.
Task<> Session::listen_to(std::set<std::string> target) {
    notify::Notifier& notifier = *core_.cluster().notifier;
    for (const std::string& channel : target) {
        if (channels_.contains(channel)) continue;
        co_await asio::co_spawn(notifier.core().executor(), notifier.subscribe(database_name_, channel), asio::use_awaitable);
        channels_.insert(channel);
        core_.listeners().add(*this, database_name_, channel);
        ++database_->listening;
    }
}

/// Leaves all others.
void Session::keep_channels(const std::set<std::string>& target) {
    notify::Notifier& notifier = *core_.cluster().notifier;
    for (auto channel = channels_.begin(); channel != channels_.end();) {
        if (target.contains(*channel)) {
            ++channel;
            continue;
        }
        core_.listeners().remove(*this, database_name_, *channel);
        --database_->listening;
        asio::post(notifier.core().executor(), [&notifier, database = database_name_, name = *channel] { notifier.unsubscribe(database, name); });
        channel = channels_.erase(channel);
    }
}

void Session::notified(const notify::Notification& notification) {
    wire::FrameWriter(notifications_, 'A').int32(static_cast<std::int32_t>(notification.from)).cstring(notification.channel).cstring(notification.payload);
    if (notifications_.size() > core_.cluster().options().memory_bytes_max) {
        notifications_.clear();
        fatal(too_many_notifications());
        client_.stream().stop_reading();
    } else if (!busy_ && !transaction_.open()) {
        client_.stream().interrupt_read();
    }
}

/// As PostgreSQL does: between transactions only.
void Session::tell_notifications() {
    if (notifications_.empty() || transaction_.open()) return;
    client_.out() += notifications_;
    notifications_.clear();
}

bool Session::announces(const planner::Statement& statement) { return statement.writes && (statement.notifies || statement.runs_user_code); }

Session::Announcement Session::announce(Participant& participant) {
    if (!participant.notifies || database_->listening == 0) return {};
    const int pid = participant.connection().backend_pid();
    core_.cluster().notifier->claim(participant.shard(), pid, id_);
    return Announcement(*core_.cluster().notifier, participant.shard(), pid);
}

Session::Announcement::~Announcement() {
    if (notifier_ != nullptr) notifier_->release(shard_, pid_);
}

/// What has been committed is handed to whoever listens before the server session may be another client's: the notification is told
/// with the right process id, and a client that listens itself gets it with the answer.
Task<> Session::hear_announcement(const Announcement& announcement) {
    if (!announcement.made()) co_return;
    notify::Notifier& notifier = *core_.cluster().notifier;
    co_await asio::co_spawn(notifier.core().executor(), notifier.catch_up(database_name_, announcement.shard()), asio::use_awaitable);
}

void Session::show_channels(const Request& request) {
    if (request.simple()) wire::write_row_description(answer(), shown_description(request.statement)->fields);
    for (const std::string& channel : channels_) {
        wire::FrameWriter(answer(), 'D').int16(1).int32(static_cast<std::int32_t>(channel.size())).bytes(channel);
    }
    wire::write_command_complete(answer(), "SELECT " + std::to_string(channels_.size()));
}

}  // namespace pgmosaic::coordinator

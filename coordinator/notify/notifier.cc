#include "coordinator/notify/notifier.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/log.h"
#include "coordinator/session.h"

namespace pgmosaic::coordinator::notify {

namespace {

constexpr int kPerShardMax = 1000;  ///< databases that are listened to at the same time
constexpr Clock::duration kAgain = 100ms;

std::vector<std::shared_ptr<backend::SlotCount>> slots_of(std::size_t count) {
    std::vector<std::shared_ptr<backend::SlotCount>> slots;
    for (std::size_t i = 0; i < count; ++i) slots.push_back(std::make_shared<backend::SlotCount>());
    return slots;
}

Error not_heard() {
    return Error{.code = sqlstate::kCannotConnectNow,
                 .message = "the shards cannot be listened to now",
                 .detail = "A channel is listened to on all shards, and one of them has no primary at the moment.",
                 .hint = "Try again."};
}

}  // namespace

/// A server session that listens, or is being made.
struct Notifier::Place {
    explicit Place(ShardId s) : shard(s) {}
    ShardId shard;
    bool serving = false;              ///< its coroutine runs
    backend::Connection* connection = nullptr;
    bool up = false;                   ///< it listens to all channels there are
    std::uint64_t times_up = 0;
    std::uint64_t asked = 0;           ///< queries sent on this connection …
    std::uint64_t answered = 0;        ///< … and answered
    std::list<asio::steady_timer*> waiters;
};

struct Notifier::Listened {
    std::string database;
    std::map<std::string, int> channels;  ///< with how many sessions want them
    std::map<ShardId, std::unique_ptr<Place>> places;
};

/// A question that was asked, or would have been if the connection were there.
struct Notifier::Ticket {
    std::uint64_t times_up = 0;
    std::uint64_t number = 0;
    bool asked = false;
};

Notifier::Notifier(Core& core)
    : core_(core), pool_(core.executor(), backend::PoolOptions{.per_shard_max = kPerShardMax, .wait_timeout = core.live().wait_timeout, .tls = core.cluster().options().server_tls},
                         slots_of(core.map()->shards().size())) {
    pool_.password_of = [&options = core.cluster().options()](const std::string&) { return options.service_password; };
    for (ShardId shard : core.map()->shard_ids()) pool_.set_endpoint(shard, core.service_pool().endpoint(shard));
    core.on_endpoint = [this](ShardId shard, const backend::Endpoint& endpoint) { pool_.set_endpoint(shard, endpoint); };
}

Notifier::~Notifier() { core_.on_endpoint = nullptr; }

// ---------------------------------------------------------------- what sessions ask for

Task<> Notifier::subscribe(std::string database, std::string channel) {
    auto& slot = databases_[database];
    if (!slot) slot = std::make_unique<Listened>(Listened{.database = database});
    Listened& listened = *slot;
    const bool known = ++listened.channels[channel] > 1;
    std::vector<std::pair<Place*, Ticket>> tickets;
    for (ShardId shard : core_.map()->shard_ids()) {
        auto& place = listened.places[shard];
        if (!place) place = std::make_unique<Place>(shard);
        if (!place->serving) {
            place->serving = true;
            core_.tasks().spawn(serve(listened, *place));
        }
        // Also where others listen already: their LISTEN may not have been answered.
        if (place->up && !known) ask(*place, "LISTEN " + planner::quote_identifier(channel));
        tickets.emplace_back(place.get(), ticket_of(*place));
    }
    const Deadline deadline = Deadline::after(core_.live().wait_timeout);
    for (const auto& [place, ticket] : tickets) {
        const bool done = co_await wait_for(*place, ticket, deadline);
        if (done) continue;
        unsubscribe(database, channel);
        throw PgError(not_heard());
    }
}

void Notifier::unsubscribe(const std::string& database, const std::string& channel) {
    const auto found = databases_.find(database);
    if (found == databases_.end()) return;
    Listened& listened = *found->second;
    const auto wanted = listened.channels.find(channel);
    if (wanted == listened.channels.end() || --wanted->second > 0) return;
    listened.channels.erase(wanted);
    for (auto& [shard, place] : listened.places) {
        if (place->connection == nullptr) continue;
        if (listened.channels.empty()) place->connection->stream().shutdown();
        else if (place->up) ask(*place, "UNLISTEN " + planner::quote_identifier(channel));
    }
}

/// A server session that is asked anything tells its notifications before it says that it is ready again; those of a commit that has
/// been acknowledged are there by then.
Task<> Notifier::catch_up(std::string database, ShardId shard) {
    const auto found = databases_.find(database);
    if (found == databases_.end()) co_return;
    const auto place = found->second->places.find(shard);
    if (place == found->second->places.end() || !place->second->up) co_return;
    ask(*place->second, "");
    co_await wait_for(*place->second, ticket_of(*place->second), Deadline::after(1s));
}

void Notifier::claim(ShardId shard, int server_pid, std::uint32_t client) {
    const std::lock_guard lock(mutex_);
    claims_[{shard, server_pid}] = client;
}

void Notifier::release(ShardId shard, int server_pid) {
    const std::lock_guard lock(mutex_);
    claims_.erase({shard, server_pid});
}

// ---------------------------------------------------------------- one server session

void Notifier::ask(Place& place, std::string_view sql) {
    wire::write_query(place.connection->out(), sql);
    ++place.asked;
    // A few bytes on a connection that is idle but for them: what does not go at once never will.
    bool sent = false;
    try {
        sent = place.connection->write_now();
    } catch (const backend::ConnectionLost&) {
        // Its reader will find out.
    }
    if (!sent) place.connection->stream().shutdown();
}

Notifier::Ticket Notifier::ticket_of(const Place& place) { return {.times_up = place.times_up, .number = place.asked, .asked = place.up}; }

/// A connection that was made later listens to everything from its beginning.
bool Notifier::is_done(const Place& place, const Ticket& ticket) {
    if (place.times_up > ticket.times_up) return place.up;
    return place.up && ticket.asked && place.answered >= ticket.number;
}

Task<bool> Notifier::wait_for(Place& place, Ticket ticket, Deadline deadline) {
    asio::steady_timer timer(core_.executor());
    struct Waiting {
        Waiting(Place& p, asio::steady_timer& t) : place(p) { at = place.waiters.insert(place.waiters.end(), &t); }
        ~Waiting() { place.waiters.erase(at); }
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;
        Place& place;
        std::list<asio::steady_timer*>::iterator at;
    } waiting(place, timer);
    while (!is_done(place, ticket)) {
        if (deadline.passed()) co_return false;
        timer.expires_at(deadline.at);
        boost::system::error_code ignored;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return false;
    }
    co_return true;
}

void Notifier::wake(Place& place) {
    for (asio::steady_timer* timer : place.waiters) timer->cancel();
}

/// As long as anybody listens in the database.
Task<> Notifier::serve(Listened& listened, Place& place) {
    struct End {
        Place& place;
        ~End() {
            place.serving = place.up = false;
            place.connection = nullptr;
        }
    } end{place};
    asio::steady_timer timer(core_.executor());
    while (!listened.channels.empty()) {
        std::optional<Error> failure;
        try {
            co_await listen_until_lost(listened, place);
        } catch (const PgError& error) {
            failure = error.error();
        }
        if (listened.channels.empty()) break;
        if (failure) spdlog::info("notifications listening_again {} {}", log_field("database", listened.database), log_field("cause", failure->message));
        if (failure && failure->code == sqlstate::kInvalidCatalogName) break;
        timer.expires_after(kAgain);
        co_await timer.async_wait(asio::use_awaitable);
    }
}

Task<> Notifier::listen_until_lost(Listened& listened, Place& place) {
    backend::Lease lease = co_await pool_.acquire(place.shard, listened.database, core_.cluster().options().service_user);
    struct Use {  // what the place says of the connection is true while the lease is held
        Place& place;
        backend::Lease& lease;
        ~Use() {
            place.up = false;
            place.connection = nullptr;
            lease.discard();
            wake(place);
        }
    } use{place, lease};
    place.connection = &*lease;
    place.asked = place.answered = 0;
    std::set<std::string> heard;
    while (true) {
        std::string sql;
        for (const auto& [channel, sessions] : listened.channels) {
            if (heard.insert(channel).second) sql += "LISTEN " + planner::quote_identifier(channel) + ";";
        }
        if (sql.empty()) break;
        const auto result = co_await backend::run_query(*lease, sql, Deadline::after(core_.live().wait_timeout));
        if (!result) throw PgError(result.error());
    }
    if (listened.channels.empty()) co_return;
    place.up = true;
    ++place.times_up;
    wake(place);
    while (!listened.channels.empty()) {
        const wire::Frame frame = co_await lease->next();
        take(listened, place, frame);
        lease->consume(frame);
    }
}

void Notifier::take(const Listened& listened, Place& place, const wire::Frame& frame) {
    if (frame.type == 'Z') {
        ++place.answered;
        wake(place);
    }
    if (frame.type != 'A') return;
    wire::Reader reader(frame.body);
    const int pid = reader.int32();
    auto notification = std::make_shared<Notification>();
    notification->database = listened.database;
    notification->channel = reader.cstring();
    notification->payload = reader.cstring();
    {
        const std::lock_guard lock(mutex_);
        const auto owner = claims_.find({place.shard, pid});
        if (owner != claims_.end()) notification->from = owner->second;
    }
    for (Core* core : core_.cluster().cores()) {
        asio::post(core->executor(), [core, notification = std::shared_ptr<const Notification>(notification)] { core->listeners().deliver(*notification); });
    }
}

}  // namespace pgmosaic::coordinator::notify

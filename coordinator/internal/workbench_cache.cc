#include "coordinator/internal/workbench_cache.h"

#include <sys/socket.h>

#include "backend/service_connection.h"
#include "planner/planner.h"

namespace pgmosaic::coordinator {

namespace {

constexpr Clock::duration kConnectTimeout = 5s;
constexpr Clock::duration kMakeTimeout = 60s;

std::string key_of(const WorkbenchCache::Place& place) { return place.database + '\0' + place.role; }

/// Always in quotes: it is a name even where it looks like a keyword.
std::string quoted(const std::string& name) {
    std::string text = "\"";
    for (const char c : name) text += c == '"' ? std::string("\"\"") : std::string(1, c);
    return text + '"';
}

/// The server has closed it, or said something (which can only be that it will): the workbench was restarted.
bool is_gone(backend::Connection& connection) {
    char byte = 0;
    return ::recv(connection.stream().socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0;
}

}  // namespace

backend::ServerAddress WorkbenchCache::address(std::string database, std::string user) const {
    return {.host = backend::nearest_host(options_.workbench_host, options_.workbench_port, options_.socket_directory),
            .port = options_.workbench_port, .database = std::move(database), .user = std::move(user),
            .unacknowledged_max_ms = 0, .tls = options_.server_tls};
}

std::unique_ptr<backend::Connection> WorkbenchCache::take(const Place& place) {
    if (!configured()) {
        throw PgError(refusal("this query needs the workbench, which is not configured",
                              "Its rows must be brought together before it can be answered.",
                              "Configure a workbench server, or bind every sharded table to one value of its shard key."));
    }
    auto& idle = idle_[key_of(place)];
    while (!idle.empty()) {
        auto connection = std::move(idle.back());
        idle.pop_back();
        --idle_count_;
        if (!is_gone(*connection)) return connection;
    }
    return nullptr;
}

Task<std::unique_ptr<backend::Connection>> WorkbenchCache::open(Place place, std::string database_options) {
    const Deadline deadline = Deadline::after(kMakeTimeout);
    for (int attempt = 0;; ++attempt) {
        auto opened = co_await backend::Connection::open(address(place.database, place.role), Deadline::after(kConnectTimeout));
        if (opened) co_return std::move(*opened);
        const Error error = opened.error();
        if (error.code == sqlstate::kConnectionFailure) {
            throw PgError(Error{.code = sqlstate::kCannotConnectNow, .message = "the workbench does not answer", .detail = error.message + "."});
        }
        if (attempt == 3 || deadline.passed()) throw PgError(error);
        co_await make_missing(place, error, database_options);
    }
}

Task<> WorkbenchCache::make_missing(const Place& place, const Error& error, const std::string& database_options) {
    if (error.code == sqlstate::kInvalidCatalogName) {
        co_await run_as_owner("CREATE DATABASE " + quoted(place.database) + " TEMPLATE template0 " + database_options);
    } else if (error.code == sqlstate::kInvalidAuthorization) {
        co_await run_as_owner("CREATE ROLE " + quoted(place.role) + " LOGIN");
    } else {
        throw PgError(error);
    }
}

Task<> WorkbenchCache::run_as_owner(std::string sql) {
    backend::ServerAddress owner = address("postgres", options_.service_user);
    owner.password = options_.service_password;
    auto connection = co_await backend::ServiceConnection::open(owner, Deadline::after(kConnectTimeout));
    if (!connection) throw PgError(connection.error());
    const auto result = co_await (*connection)->query(std::move(sql), Deadline::after(kMakeTimeout));
    // Another session may have missed it, too.
    if (!result && !sqlstate::is_duplicate_object(result.error().code)) throw PgError(result.error());
}

void WorkbenchCache::give_back(const Place& place, std::unique_ptr<backend::Connection> connection) {
    const bool clean = !connection->broken && !connection->dirty && connection->status() == wire::TransactionStatus::kIdle &&
                       connection->out().empty() && connection->stream().input().empty();
    if (!clean || idle_count_ >= kIdleMax) return;
    connection->stream().input().release_if_empty();
    idle_[key_of(place)].push_back(std::move(connection));
    ++idle_count_;
}

}  // namespace pgmosaic::coordinator

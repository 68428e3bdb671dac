#include "coordinator/internal/workbench_follow.h"

#include "backend/service_connection.h"
#include "coordinator/internal/workbench_objects.h"
#include "planner/planner.h"

#include <map>

namespace pgmosaic::coordinator {

namespace {

constexpr Clock::duration kFollowConnectTimeout = 5s;
constexpr Clock::duration kFollowTimeout = 60s;

constexpr const char* kObjectsQuery =
    "SELECT o.list, pg_catalog.md5(o.list), (SELECT pg_catalog.json_object_agg(pg_catalog.format('%s.%I', "
    "t.typnamespace::pg_catalog.regnamespace, t.typname), t.oid) FROM pg_catalog.pg_type t WHERE t.oid >= 16384) "
    "FROM (SELECT pg_mosaic.workbench_objects()::pg_catalog.text AS list) o";

struct FollowedObjects {
    std::uint64_t version = 0;
    std::map<Oid, Oid> home_types{};
};

/// By database. A core is a thread: this is what it knows.
std::map<std::string, FollowedObjects>& followed_objects() {
    thread_local std::map<std::string, FollowedObjects> known;
    return known;
}

Task<backend::QueryResult> run_on_workbench(const ServerOptions& options, std::string database, std::string sql) {
    const backend::ServerAddress owner = options.service_address(options.workbench_host, options.workbench_port, std::move(database));
    auto connection = co_await backend::ServiceConnection::open(owner, Deadline::after(kFollowConnectTimeout));
    if (!connection) throw PgError(connection.error());
    auto prepared = co_await (*connection)->query(kWorkbenchRebuild, Deadline::after(kFollowTimeout));
    if (!prepared) throw PgError(prepared.error());
    auto result = co_await (*connection)->query(std::move(sql), Deadline::after(kFollowTimeout));
    if (!result) throw PgError(result.error());
    co_return *result;
}

std::string text_at(const backend::QueryResult& row, std::size_t column) { return row.rows.at(0).at(column).value_or("{}"); }

}  // namespace

Task<> follow_objects(Session& session, std::string database) {
    const std::uint64_t version = session.environment().catalog->version();
    const auto known = followed_objects().find(database);
    if (known != followed_objects().end() && known->second.version == version) co_return;
    const backend::QueryResult objects = co_await session.query_service(session.home(), kObjectsQuery);
    std::string sql = "BEGIN;SELECT pg_mosaic.rebuild(" + planner::quote_literal(text_at(objects, 0)) + "," +
                      planner::quote_literal(text_at(objects, 1)) + ");COMMIT;SELECT t.oid, j.value FROM pg_catalog.json_each_text(" +
                      planner::quote_literal(text_at(objects, 2)) +
                      ") j JOIN pg_catalog.pg_type t ON pg_catalog.format('%s.%I', t.typnamespace::pg_catalog.regnamespace, t.typname) = j.key";
    const backend::QueryResult pairs = co_await run_on_workbench(session.core().cluster().options(), database, std::move(sql));
    FollowedObjects followed{.version = version};
    for (const auto& row : pairs.rows) {
        followed.home_types[static_cast<Oid>(std::stoul(row.at(0).value_or("0")))] = static_cast<Oid>(std::stoul(row.at(1).value_or("0")));
    }
    followed_objects()[database] = std::move(followed);
}

Oid type_at_home(const std::string& database, Oid type) {
    const auto known = followed_objects().find(database);
    if (known == followed_objects().end()) return 0;
    const auto found = known->second.home_types.find(type);
    return found == known->second.home_types.end() ? 0 : found->second;
}

}  // namespace pgmosaic::coordinator

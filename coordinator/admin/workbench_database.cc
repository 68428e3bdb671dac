#include "coordinator/admin/workbench_database.h"

#include "base/log.h"

namespace pgmosaic::coordinator {

namespace {

constexpr Clock::duration kPatience = 10s;

Task<> run_there(Session& session, std::string name, std::string sql) {
    const ServerOptions& options = session.core().cluster().options();
    if (options.workbench_host.empty()) co_return;
    const Deadline deadline = Deadline::after(kPatience);
    const backend::ServerAddress address = options.service_address(options.workbench_host, options.workbench_port, "postgres");
    std::optional<Error> failure;
    auto connection = co_await backend::ServiceConnection::open(address, deadline);
    if (!connection) {
        failure = connection.error();
    } else {
        const auto done = co_await (*connection)->query(sql, deadline);
        if (!done) failure = done.error();
    }
    if (failure) spdlog::warn("databases workbench_not_told {} {}", log_field("database", name), log_field("error", failure->message));
}

}  // namespace

Task<> create_on_workbench(Session& session, std::string name) {
    const auto found = co_await session.query_service(
        session.home(),
        "SELECT pg_catalog.format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LOCALE_PROVIDER %s LC_COLLATE %L LC_CTYPE %L', "
        "datname, pg_catalog.pg_encoding_to_char(encoding), CASE datlocprovider WHEN 'i' THEN 'icu' ELSE 'libc' END, datcollate, "
        "datctype) || CASE datlocprovider WHEN 'i' THEN pg_catalog.format(' ICU_LOCALE %L', daticulocale) ELSE '' END FROM pg_catalog.pg_database WHERE datname = " +
            planner::quote_literal(name),
        "postgres");
    co_await run_there(session, name, found.scalar());
}

Task<> drop_on_workbench(Session& session, std::string name) {
    co_await run_there(session, name, "DROP DATABASE IF EXISTS " + planner::quote_identifier(name) + " WITH (FORCE)");
}

}  // namespace pgmosaic::coordinator

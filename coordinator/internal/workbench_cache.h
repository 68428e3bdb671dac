#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/connection.h"
#include "base/task.h"
#include "coordinator/server_options.h"

namespace pgmosaic::coordinator {

/// One core's sessions on the workbench, by database and role.
///
/// The workbench is a plain PostgreSQL that holds nothing of its own. A session works there in a database of the name and
/// locale of its own (what text is equal and which comes first must be the same), as a role of its own role's name: never as
/// pgmosaic's own, whose rights a query could use. Both are made when they are first missed; roles there have no rights but to
/// log in and to make temporary tables.
///
/// Core    one
/// Errors  take: 0A000 without a workbench, 57P03 when it does not answer, the server's
/// Bound   `kIdleMax` idle sessions per core; the server's max_connections for those in use
class WorkbenchCache {
   public:
    explicit WorkbenchCache(const ServerOptions& options) : options_(options) {}

    /// Where and as whom a client works.
    struct Place {
        std::string database;
        std::string role;
    };
    bool configured() const { return !options_.workbench_host.empty(); }
    /// An idle session, or null.
    std::unique_ptr<backend::Connection> take(const Place& place);
    /// A new one. `database_options`: what CREATE DATABASE must say if the database is not there yet (locale, encoding).
    Task<std::unique_ptr<backend::Connection>> open(Place place, std::string database_options);
    /// Clean, it is kept; else it is closed.
    void give_back(const Place& place, std::unique_ptr<backend::Connection> connection);

   private:
    static constexpr std::size_t kIdleMax = 16;

    backend::ServerAddress address(std::string database, std::string user) const;
    Task<> run_as_owner(std::string sql);
    Task<> make_missing(const Place& place, const Error& error, const std::string& database_options);

    const ServerOptions& options_;
    std::map<std::string, std::vector<std::unique_ptr<backend::Connection>>> idle_;
    std::size_t idle_count_ = 0;
};

}  // namespace pgmosaic::coordinator

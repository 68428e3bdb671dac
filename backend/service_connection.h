#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/connection.h"

namespace pgmosaic::backend {

/// Rows as text, of the last statement of the query string that returned any.
struct QueryResult {
    std::vector<std::string> columns{};
    std::vector<std::vector<std::optional<std::string>>> rows{};
    std::string tag{};         ///< of the last statement
    std::string notices{};     ///< NoticeResponse frames that are the client's if the statement was
    bool unreplicated = false;  ///< a commit in it ended before the standby had it: needs a barrier

    /// The only value of the only row, or empty.
    std::string scalar() const;
};

/// pgmosaic's own session on a server: probes, phase two, recovery, administration.
///
/// Core    one
/// Errors  the server's; 08006 when the connection breaks or the deadline passes (the connection is then closed)
class ServiceConnection {
   public:
    static Task<Result<std::unique_ptr<ServiceConnection>>> open(ServerAddress address, Deadline deadline);

    Task<Result<QueryResult>> query(std::string sql, Deadline deadline);
    bool broken() const { return connection_->broken; }
    Connection& connection() { return *connection_; }

   private:
    explicit ServiceConnection(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
    std::unique_ptr<Connection> connection_;
};

/// Runs a query string on a connection that is idle and collects its result.
Task<Result<QueryResult>> run_query(Connection& connection, std::string_view sql, Deadline deadline);

/// The same for a statement that must stand alone (COMMIT PREPARED): `setting`, the statement and the setting's RESET are query
/// strings of their own, sent together.
Task<Result<QueryResult>> run_query_with(Connection& connection, std::string_view setting, std::string_view value, std::string_view sql,
                                         Deadline deadline);

}  // namespace pgmosaic::backend

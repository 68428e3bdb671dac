#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"

struct pg_conn;

namespace pgmosaic::node {

/// One value of a result; nothing: NULL.
using SqlValue = std::optional<std::string>;

/// What a statement gave, as text.
struct SqlRows {
    std::vector<std::string> columns{};
    std::vector<unsigned> types{};  ///< OIDs
    std::vector<std::vector<SqlValue>> rows{};
    std::string tag{};

    /// The only value of the first row, or empty.
    std::string scalar() const { return rows.empty() || rows[0].empty() ? "" : rows[0][0].value_or(""); }
};

/// A connection for the few statements of making servers, and for the command line. It blocks: never on a core.
///
/// Core    none; one thread at a time
/// Errors  the server's own; 08006 when there is no connection or it breaks; 57014 at the deadline (then broken)
class Sql {
   public:
    static Result<Sql> connect(const std::string& conninfo, Deadline deadline);

    /// Statements separated by semicolons give the last one's rows.
    Result<SqlRows> run(std::string_view statement, Deadline deadline);
    Result<SqlRows> run(const std::string& statement, const std::vector<SqlValue>& parameters, Deadline deadline);

   private:
    struct Close {
        void operator()(pg_conn* connection) const;
    };
    explicit Sql(pg_conn* connection) : connection_(connection) {}
    Result<SqlRows> collect(Deadline deadline);
    Error broken(const std::string& what) const;

    std::unique_ptr<pg_conn, Close> connection_;
};

/// An SQL literal: `'it''s'`.
std::string quote_literal(std::string_view text);
std::string quote_identifier(std::string_view name);

}  // namespace pgmosaic::node

#include "replication/node/sql.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>

namespace pgmosaic::node {

namespace {

/// Waits for the socket; false at the deadline.
bool wait_socket(const PGconn* connection, short events, Deadline deadline) {
    pollfd waiting{.fd = PQsocket(connection), .events = events, .revents = 0};
    while (true) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.left());
        const auto timeout = std::clamp<std::int64_t>(left.count() + 1, 0, 60000);
        const int ready = poll(&waiting, 1, static_cast<int>(timeout));
        if (ready > 0) return true;
        if (ready == 0 && deadline.passed()) return false;
        if (ready < 0 && errno != EINTR) return true;  // libpq then says what is wrong
    }
}

std::string first_line(std::string text) {
    text = text.substr(0, text.find('\n'));
    return text;
}

std::string field(const PGresult* result, int code) {
    const char* text = PQresultErrorField(result, code);
    return text == nullptr ? "" : text;
}

Error server_error(const PGresult* result) {
    const std::string code = field(result, PG_DIAG_SQLSTATE);
    return Error{.code = code.size() == 5 ? SqlState(code) : sqlstate::kConnectionFailure,
                 .message = code.empty() ? first_line(PQresultErrorMessage(result))
                                         : field(result, PG_DIAG_MESSAGE_PRIMARY),
                 .detail = field(result, PG_DIAG_MESSAGE_DETAIL),
                 .hint = field(result, PG_DIAG_MESSAGE_HINT),
                 .context = field(result, PG_DIAG_CONTEXT)};
}

SqlRows read_rows(const PGresult* result) {
    SqlRows rows;
    for (int column = 0; column < PQnfields(result); ++column) {
        rows.columns.emplace_back(PQfname(result, column));
        rows.types.push_back(PQftype(result, column));
    }
    for (int row = 0; row < PQntuples(result); ++row) {
        std::vector<SqlValue> values;
        for (int column = 0; column < PQnfields(result); ++column) {
            if (PQgetisnull(result, row, column) != 0) {
                values.emplace_back();
            } else {
                values.emplace_back(PQgetvalue(result, row, column));
            }
        }
        rows.rows.push_back(std::move(values));
    }
    rows.tag = PQcmdStatus(const_cast<PGresult*>(result));
    return rows;
}

void ignore_notice(void*, const PGresult*) {}

Error timed_out(const std::string& what) {
    return Error{.code = sqlstate::kQueryCanceled, .message = what + " did not answer in time"};
}

}  // namespace

void Sql::Close::operator()(pg_conn* connection) const { PQfinish(connection); }

Error Sql::broken(const std::string& what) const {
    const std::string reason = first_line(PQerrorMessage(connection_.get()));
    return Error{.code = sqlstate::kConnectionFailure, .message = what + (reason.empty() ? "" : ": " + reason)};
}

Result<Sql> Sql::connect(const std::string& conninfo, Deadline deadline) {
    Sql sql(PQconnectStart(conninfo.c_str()));
    if (!sql.connection_) return Error{.code = sqlstate::kOutOfMemory, .message = "out of memory"};
    PGconn* connection = sql.connection_.get();
    if (PQstatus(connection) == CONNECTION_BAD) return sql.broken("could not connect");
    PQsetNoticeReceiver(connection, ignore_notice, nullptr);
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next != PGRES_POLLING_OK) {
        const short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        if (!wait_socket(connection, events, deadline)) return timed_out("the server");
        next = PQconnectPoll(connection);
        if (next == PGRES_POLLING_FAILED) return sql.broken("could not connect");
    }
    return sql;
}

Result<SqlRows> Sql::run(std::string_view statement, Deadline deadline) {
    if (PQsendQuery(connection_.get(), std::string(statement).c_str()) == 0) return broken("could not send a statement");
    return collect(deadline);
}

Result<SqlRows> Sql::run(const std::string& statement, const std::vector<SqlValue>& parameters, Deadline deadline) {
    std::vector<const char*> values;
    for (const SqlValue& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
    const int sent = PQsendQueryParams(connection_.get(), statement.c_str(), static_cast<int>(values.size()), nullptr,
                                       values.data(), nullptr, nullptr, 0);
    if (sent == 0) return broken("could not send a statement");
    return collect(deadline);
}

/// The first error decides; the rest is read all the same, so that the connection can be used again.
Result<SqlRows> Sql::collect(Deadline deadline) {
    PGconn* connection = connection_.get();
    Result<SqlRows> last = SqlRows{};
    while (true) {
        while (PQisBusy(connection) != 0) {
            if (!wait_socket(connection, POLLIN, deadline)) return timed_out("a statement");
            if (PQconsumeInput(connection) == 0) return broken("the connection broke");
        }
        const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQgetResult(connection), PQclear);
        if (!result) return last;
        const ExecStatusType status = PQresultStatus(result.get());
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
            return Error{.code = sqlstate::kFeatureNotSupported, .message = "COPY is not possible here"};
        }
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
            if (last) last = server_error(result.get());
        } else if (last) {
            last = read_rows(result.get());
        }
    }
}

std::string quote_literal(std::string_view text) {
    std::string quoted = text.find('\\') == std::string_view::npos ? "'" : " E'";
    for (char c : text) {
        if (c == '\'' || c == '\\') quoted += c;
        quoted += c;
    }
    return quoted + "'";
}

std::string quote_identifier(std::string_view name) {
    std::string quoted = "\"";
    for (char c : name) {
        if (c == '"') quoted += c;
        quoted += c;
    }
    return quoted + "\"";
}

}  // namespace pgmosaic::node

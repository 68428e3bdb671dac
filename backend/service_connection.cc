#include "backend/service_connection.h"

#include <boost/system/system_error.hpp>

#include "wire/reader.h"

namespace pgmosaic::backend {

namespace {

void read_row(std::string_view body, QueryResult& result) {
    wire::Reader reader(body);
    auto& row = result.rows.emplace_back(static_cast<std::size_t>(reader.int16()));
    for (auto& value : row) {
        const std::int32_t length = reader.int32();
        if (length >= 0) value = std::string(reader.bytes(static_cast<std::size_t>(length)));
    }
}

/// Takes one message into the result; true when the query string is done.
bool take(const wire::Frame& frame, QueryResult& result, std::optional<Error>& failure) {
    switch (frame.type) {
        case 'T':
            result.columns.clear();
            result.rows.clear();
            for (const wire::Field& field : wire::read_row_description(frame.body)) result.columns.push_back(field.name);
            return false;
        case 'D':
            read_row(frame.body, result);
            return false;
        case 'C':
            result.tag = wire::Reader(frame.body).cstring();
            return false;
        case 'N': {
            // That a commit was not waited for is told by `unreplicated`.
            const bool own = is_end_of_server(frame.body) || wire::error_field(frame.body, 'R') == "SyncRepWaitForLSN";
            if (!own) result.notices += frame.whole;
            return false;
        }
        case 'E':
            if (!failure) failure = wire::read_error(frame.body);
            return false;
        case 'Z':
            return true;
        default:
            return false;
    }
}

/// Sends what is in `out` and collects what `count` query strings answer.
Task<Result<QueryResult>> collect(Connection& connection, int count, Deadline deadline) {
    StreamDeadline guard(connection.stream(), deadline);
    QueryResult result;
    std::optional<Error> failure;
    connection.unreplicated_notice = false;
    try {
        co_await connection.write();
        while (count > 0) {
            const wire::Frame frame = co_await connection.next();
            if (take(frame, result, failure)) --count;
            connection.consume(frame);
        }
    } catch (const ConnectionLost& lost) {
        if (failure) co_return *failure;
        if (!guard.fired()) co_return lost.error();
        co_return Error{.code = sqlstate::kConnectionFailure, .message = "no answer from the server in time"};
    }
    if (failure) co_return *failure;
    result.unreplicated = connection.unreplicated_notice;
    co_return result;
}

}  // namespace

std::string QueryResult::scalar() const {
    if (rows.empty() || rows[0].empty() || !rows[0][0]) return {};
    return *rows[0][0];
}

Task<Result<QueryResult>> run_query(Connection& connection, std::string_view sql, Deadline deadline) {
    wire::write_query(connection.out(), sql);
    co_return co_await collect(connection, 1, deadline);
}

Task<Result<QueryResult>> run_query_with(Connection& connection, std::string_view setting, std::string_view value, std::string_view sql,
                                         Deadline deadline) {
    const std::string name(setting);
    wire::write_query(connection.out(), "SET " + name + " = " + std::string(value));
    wire::write_query(connection.out(), sql);
    wire::write_query(connection.out(), "RESET " + name);
    co_return co_await collect(connection, 3, deadline);
}

Task<Result<std::unique_ptr<ServiceConnection>>> ServiceConnection::open(ServerAddress address, Deadline deadline) {
    auto connection = co_await Connection::open(address, deadline);
    if (!connection) co_return connection.error();
    co_return std::unique_ptr<ServiceConnection>(new ServiceConnection(std::move(*connection)));
}

Task<Result<QueryResult>> ServiceConnection::query(std::string sql, Deadline deadline) {
    co_return co_await run_query(*connection_, sql, deadline);
}

}  // namespace pgmosaic::backend

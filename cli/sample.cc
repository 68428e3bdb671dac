#include "cli/sample.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <memory>
#include <optional>

#include "cli/internal/shop.h"

namespace pgmosaic::cli {
namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;

using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
using SampleResult = std::unique_ptr<PGresult, decltype(&PQclear)>;

std::string one_line(const char* message) {
    std::string text = message == nullptr ? "" : message;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

Error server_error(const PGresult* answer, PGconn* connection) {
    const auto field = [answer](int code) {
        const char* value = PQresultErrorField(answer, code);
        return std::string(value == nullptr ? "" : value);
    };
    if (field(PG_DIAG_SQLSTATE).empty()) {
        return {.code = sqlstate::kConnectionFailure, .message = one_line(PQerrorMessage(connection))};
    }
    return {.code = SqlState(field(PG_DIAG_SQLSTATE)),
            .message = field(PG_DIAG_MESSAGE_PRIMARY),
            .detail = field(PG_DIAG_MESSAGE_DETAIL),
            .hint = field(PG_DIAG_MESSAGE_HINT),
            .context = field(PG_DIAG_CONTEXT)};
}

/// Runs one statement; the answer if it succeeded.
Result<SampleResult> run_sql(PGconn* connection, const std::string& sql) {
    SampleResult answer(PQexec(connection, sql.c_str()), &PQclear);
    switch (PQresultStatus(answer.get())) {
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
        case PGRES_COPY_IN: return answer;
        default: return server_error(answer.get(), connection);
    }
}

Result<void> run_all(PGconn* connection, const std::vector<std::string>& statements) {
    for (const std::string& sql : statements) {
        if (auto answer = run_sql(connection, sql); answer.has_error()) return answer.error();
    }
    return {};
}

std::string copy_sql(ShopTable table) { return fmt::format("COPY {} FROM STDIN", name_of(table)); }

Result<void> finish_copy(PGconn* connection, const char* reason) {
    if (PQputCopyEnd(connection, reason) != 1) return server_error(nullptr, connection);
    SampleResult answer(PQgetResult(connection), &PQclear);
    if (PQresultStatus(answer.get()) != PGRES_COMMAND_OK) return server_error(answer.get(), connection);
    while (SampleResult(PQgetResult(connection), &PQclear)) {
    }
    return {};
}

Result<void> copy_table(PGconn* connection, const Shop& shop, ShopTable table, const SampleProgress& progress) {
    if (auto begun = run_sql(connection, copy_sql(table)); begun.has_error()) return begun.error();
    const std::uint64_t items = shop.items(table);
    std::string chunk;
    for (std::uint64_t item = 0; item < items; ++item) {
        shop.append_item(table, item, chunk);
        if (chunk.size() < kChunkBytes && item + 1 < items) continue;
        // A failed send is explained by what the server said, which finish_copy reads.
        if (PQputCopyData(connection, chunk.data(), static_cast<int>(chunk.size())) != 1) break;
        chunk.clear();
        if (progress) progress(name_of(table), item + 1, items);
    }
    return finish_copy(connection, nullptr);
}

Result<bool> is_there(PGconn* connection) {
    auto answer = run_sql(connection,
                      "SELECT count(*) FROM pg_class WHERE oid IN (to_regclass('customers'), to_regclass('products'), "
                      "to_regclass('orders'), to_regclass('order_lines'))");
    if (answer.has_error()) return answer.error();
    return std::string_view(PQgetvalue(answer->get(), 0, 0)) == "4";
}

std::optional<Error> unknown_sample(const SampleOptions& options) {
    if (options.name == "shop") return std::nullopt;
    return Error{.code = sqlstate::kInvalidParameterValue,
                 .message = fmt::format("sample \"{}\" does not exist", options.name),
                 .hint = "The samples are: shop."};
}

Result<void> fill(PGconn* connection, const SampleOptions& options, const SampleProgress& progress) {
    const Shop shop(options.seed, options.orders);
    if (auto made = run_all(connection, shop_schema(options.distribute)); made.has_error()) return made;
    for (const ShopTable table : kShopTables) {
        if (auto copied = copy_table(connection, shop, table, progress); copied.has_error()) return copied;
    }
    return run_all(connection, shop_constraints());
}

}  // namespace

Result<void> load_sample(const std::string& conninfo, const SampleOptions& options, const SampleProgress& progress) {
    if (auto error = unknown_sample(options)) return *error;
    const Connection connection(PQconnectdb(conninfo.c_str()), &PQfinish);
    if (PQstatus(connection.get()) != CONNECTION_OK) {
        return Error{.code = sqlstate::kConnectionFailure, .message = one_line(PQerrorMessage(connection.get()))};
    }
    PQsetClientEncoding(connection.get(), "UTF8");
    const auto there = is_there(connection.get());
    if (there.has_error()) return there.error();
    if (*there) return {};
    if (auto begun = run_sql(connection.get(), "BEGIN"); begun.has_error()) return begun.error();
    // An error ends the connection, and with it the transaction.
    if (auto filled = fill(connection.get(), options, progress); filled.has_error()) return filled;
    auto committed = run_sql(connection.get(), "COMMIT");
    if (committed.has_error()) return committed.error();
    return {};
}

Result<void> write_sample(const SampleOptions& options, const std::function<void(std::string_view)>& write) {
    if (auto error = unknown_sample(options)) return *error;
    const Shop shop(options.seed, options.orders);
    const auto write_all = [&write](const std::vector<std::string>& statements) {
        for (const std::string& sql : statements) write(sql + ";\n");
    };
    write("BEGIN;\nSET LOCAL client_encoding = 'UTF8';\n");
    write_all(shop_schema(options.distribute));
    std::string rows;
    for (const ShopTable table : kShopTables) {
        write(copy_sql(table) + ";\n");
        for (std::uint64_t item = 0; item < shop.items(table); ++item) {
            rows.clear();
            shop.append_item(table, item, rows);
            write(rows);
        }
        write("\\.\n");
    }
    write_all(shop_constraints());
    write("COMMIT;\n");
    return {};
}

}  // namespace pgmosaic::cli

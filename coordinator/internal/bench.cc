#include "coordinator/internal/bench.h"

#include <algorithm>

#include "coordinator/execute.h"
#include "coordinator/internal/copy_encode.h"
#include "coordinator/internal/workbench_follow.h"
#include "coordinator/login.h"

namespace pgmosaic::coordinator {

namespace {

constexpr std::size_t kFrameBytes = 49152;
constexpr std::uint64_t kAnalyzeRows = 10000;

/// Settings that have no meaning on the workbench: other roles, other tablespaces, other rights.
bool stays_behind(const std::string& name) {
    static constexpr std::string_view kNames[] = {"role", "session authorization", "session_replication_role", "default_tablespace",
                                                  "temp_tablespaces", "default_table_access_method"};
    return is_idle_timeout(name) || std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

/// The workbench's own transaction writes, whatever the client's may do, and is bound by no idling.
bool stays_behind_too(const std::string& set_local) {
    return isolation_in(set_local) || lower(set_local).find("transaction") != std::string::npos || sets_idle_timeout(set_local);
}

}  // namespace

Bench::Bench(Session& session)
    : session_(session), place_{session.database(), session.environment().role.empty() ? session.user() : session.environment().role} {}

Bench::~Bench() {
    session_.cancels_also(nullptr);
    // Answers that are still to come would be taken for the next statement's.
    if (connection_ != nullptr && pending_ > 0) connection_->broken = true;
    if (connection_ != nullptr) session_.core().workbench().give_back(place_, std::move(connection_));
}

Task<std::string> Bench::run(Task<std::string> work) {
    std::string tag;
    try {
        tag = co_await std::move(work);
    } catch (const backend::ConnectionLost&) {
        if (!lost()) throw;
        throw PgError(Error{.code = sqlstate::kSerializationFailure,
                            .message = "the workbench was lost in the middle of the query",
                            .hint = "Run the statement, or its transaction, again."});
    }
    co_return tag;
}

Task<> Bench::open() {
    WorkbenchCache& cache = session_.core().workbench();
    connection_ = cache.take(place_);
    if (connection_ == nullptr) {
        std::string options = co_await database_options();
        connection_ = co_await cache.open(place_, std::move(options));
    }
    session_.cancels_also(connection_.get());
    co_await follow_objects(session_, place_.database);
}

void Bench::put(std::string_view sql) {
    wire::write_query(connection_->out(), sql);
    ++pending_;
}

void Bench::begin() { put("BEGIN;" + settings_sql()); }

std::string Bench::settings_sql() const {
    std::string sql;
    for (const Setting& setting : session_.settings()->values) {
        if (!stays_behind(setting.name)) sql += setting.sql + ";";
    }
    for (const std::string& local : session_.transaction().local_settings()) {
        if (!stays_behind_too(local)) sql += local + ";";
    }
    return sql;
}

Task<> Bench::settle() {
    if (!connection_->out().empty()) co_await connection_->write();
    std::optional<Error> failure;
    while (pending_ > 0) {
        const wire::Frame frame = co_await connection_->next();
        if (frame.type == 'E' && !failure) failure = error_of(frame);
        if (frame.type == 'Z') --pending_;
        connection_->consume(frame);
    }
    if (failure) throw PgError(*failure);
}

Error Bench::error_of(const wire::Frame& frame) {
    Error error = wire::read_error(frame.body);
    error.position = 0;
    if (error.severity != "ERROR") error.severity = "ERROR";
    return error;
}

/// The database's encoding and locale as CREATE DATABASE wants them.
Task<std::string> Bench::database_options() {
    const auto row = co_await session_.query_service(
        session_.home(),
        "SELECT pg_catalog.format('ENCODING %L LC_COLLATE %L LC_CTYPE %L%s', pg_catalog.pg_encoding_to_char(encoding), "
        "datcollate, datctype, CASE WHEN datlocprovider = 'i' THEN pg_catalog.format(' LOCALE_PROVIDER icu ICU_LOCALE %L', "
        "daticulocale) ELSE '' END) FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()");
    co_return row.scalar();
}

// ---------------------------------------------------------------- rows for tables

/// The body of a binary DataRow is a binary COPY tuple: it passes as it is.
void Bench::begin_copy(const std::string& table) {
    put("COPY " + table + " FROM STDIN (FORMAT binary)");
    begin_frame();
    out() += kBinaryHead;
    rows_ = 0;
}

Task<> Bench::end_copy(const std::string& table) {
    out() += "\xff\xff";
    end_frame();
    wire::write_empty(out(), 'c');
    if (rows_ > kAnalyzeRows) put("ANALYZE " + table);
    co_await connection_->write();
}

void Bench::begin_frame() {
    frame_at_ = out().size();
    out().append("d\0\0\0\0", wire::kHeaderBytes);
}

void Bench::end_frame() {
    const auto length = static_cast<std::uint32_t>(out().size() - frame_at_ - 1);
    for (std::size_t i = 0; i < 4; ++i) out()[frame_at_ + 1 + i] = static_cast<char>(length >> (24 - 8 * i));
}

void Bench::add_row(std::string_view body) {
    out() += body;
    ++rows_;
    bytes_ += body.size();
    if (bytes_ > session_.core().live().workbench_bytes_max) {
        connection_->broken = true;
        throw PgError(Error{.code = sqlstate::kConfigurationLimitExceeded,
                            .message = "the query needs more rows on the workbench than limits.workbench_max_bytes allows",
                            .hint = "Narrow it by conditions on single tables, or raise limits.workbench_max_bytes."});
    }
    if (out().size() - frame_at_ >= kFrameBytes) {
        end_frame();
        begin_frame();
    }
}

Task<> Bench::write_when_large() {
    if (out().size() < kFrameBytes) co_return;
    end_frame();
    co_await connection_->write();
    begin_frame();
}

// ---------------------------------------------------------------- the answer

void Bench::put_final(const Request& request, std::string_view sql) {
    ++pending_;
    if (request.simple()) {
        wire::write_query(out(), sql);
        return;
    }
    std::vector<Oid> types = request.prepared->description ? request.prepared->description->parameters : request.prepared->types;
    for (Oid& type : types) {
        if (type >= kFirstUserOid) type = 0;
    }
    wire::write_parse(out(), "", sql, types);
    wire::FrameWriter(out(), 'B').cstring("").cstring("").bytes(request.bind->tail);
    wire::write_execute(out(), "", 0);
    wire::write_sync(out());
}

Task<std::string> Bench::relay_answer(std::string* kept) {
    co_await connection_->write();
    std::optional<Error> failure;
    std::string tag;
    const int first = pending_;
    while (pending_ > 0) {
        const std::string_view unread = connection_->stream().input().unread();
        const auto frame = wire::next_frame(unread);
        if (!frame) {
            const std::size_t whole = wire::frame_bytes(unread);
            if (kept == nullptr) co_await session_.flush_answer();
            else check_kept(*kept);
            const std::size_t missing = whole > unread.size() ? whole - unread.size() : 0;
            co_await connection_->fill(missing);
            continue;
        }
        connection_->note(*frame);
        if (frame->type == 'E' && !failure) failure = error_of(*frame);
        if (frame->type == 'C' && pending_ == first) tag = wire::Reader(frame->body).cstring();
        if (frame->type == 'Z') --pending_;
        pass(*frame, kept == nullptr ? session_.answer() : *kept);
        connection_->consume(*frame);
    }
    if (failure) throw PgError(*failure);
    co_return tag;
}

void Bench::check_kept(const std::string& kept) {
    if (kept.size() <= session_.core().cluster().options().memory_bytes_max) return;
    connection_->broken = true;
    throw PgError(Error{.code = sqlstate::kConfigurationLimitExceeded,
                        .message = "the rows that this statement returns need more memory than limits.memory allows",
                        .detail = "They are kept until the shards have done what it says.",
                        .hint = "Return fewer columns, or raise limits.memory."});
}

void Bench::pass(const wire::Frame& frame, std::string& answer) {
    switch (frame.type) {
        case 'D': answer += frame.whole; break;
        case 'T': pass_description(frame, answer); break;
        case 'N': session_.client().out() += frame.whole; break;
        default: break;
    }
}

/// The temporary tables are nobody's business.
void Bench::pass_description(const wire::Frame& frame, std::string& answer) const {
    std::vector<wire::Field> fields = wire::read_row_description(frame.body);
    for (wire::Field& field : fields) {
        field.table = 0, field.attribute = 0;
        if (field.type >= kFirstUserOid) field.type = type_at_home(place_.database, field.type);
    }
    wire::write_row_description(answer, fields);
}

Task<backend::QueryResult> Bench::query(std::string sql) {
    PGM_CHECK(pending_ == 0, "what was put before has been answered");
    auto result = co_await backend::run_query(*connection_, sql, Deadline::never());
    if (result) co_return *result;
    if (connection_->broken) throw backend::ConnectionLost(result.error());
    Error error = result.error();
    error.position = 0;
    throw PgError(std::move(error));
}

void Bench::put_query(std::string_view sql, const std::vector<bool>& binary) {
    wire::write_parse(out(), "", sql, {});
    wire::FrameWriter bind(out(), 'B');
    bind.cstring("").cstring("").int16(0).int16(0).int16(static_cast<std::int32_t>(binary.size()));
    for (const bool each : binary) bind.int16(each ? 1 : 0);
    bind.end();
    wire::write_execute(out(), "", 0);
    wire::write_sync(out());
    ++pending_;
}

Task<bool> Bench::next_row(std::string& body) {
    if (!connection_->out().empty()) co_await connection_->write();
    std::optional<Error> failure;
    while (pending_ > 0) {
        const wire::Frame frame = co_await connection_->next();
        const bool row = frame.type == 'D';
        if (row) body = frame.body;
        if (frame.type == 'E' && !failure) failure = error_of(frame);
        if (frame.type == 'Z') --pending_;
        connection_->consume(frame);
        if (row) co_return true;
    }
    if (failure) throw PgError(*failure);
    co_return false;
}

}  // namespace pgmosaic::coordinator

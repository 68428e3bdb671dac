#include <algorithm>

#include "coordinator/execute.h"
#include "coordinator/internal/copy_encode.h"
#include "coordinator/internal/workbench_cache.h"
#include "coordinator/internal/workbench_follow.h"
#include "coordinator/internal/workbench_pull.h"

/// Queries that only a whole PostgreSQL can finish: the rows they need are pulled from the shards into temporary tables of a
/// transaction on the workbench, the query runs there, and the transaction is rolled back: nothing ever remains.
namespace pgmosaic::coordinator {

using planner::Pull;

namespace {

constexpr std::size_t kFrameBytes = 49152;
constexpr std::uint64_t kAnalyzeRows = 10000;

/// Settings that have no meaning on the workbench: other roles, other tablespaces, other rights.
bool stays_behind(const std::string& name) {
    static constexpr std::string_view kNames[] = {"role", "session authorization", "session_replication_role", "default_tablespace",
                                                  "temp_tablespaces", "default_table_access_method"};
    return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

std::string settings_sql(Session& session) {
    std::string sql;
    for (const Setting& setting : session.settings()->values) {
        if (!stays_behind(setting.name)) sql += setting.sql + ";";
    }
    for (const std::string& local : session.transaction().local_settings()) sql += local + ";";
    return sql;
}

/// A session on the workbench for one statement; a cancel request of the client reaches it, too.
class Bench {
   public:
    Bench(Session& session, WorkbenchCache::Place place) : session_(session), place_(std::move(place)) {}
    ~Bench() {
        session_.cancels_also(nullptr);
        // Answers that are still to come would be taken for the next statement's.
        if (connection_ != nullptr && pending_ > 0) connection_->broken = true;
        if (connection_ != nullptr) session_.core().workbench().give_back(place_, std::move(connection_));
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    Task<> open() {
        WorkbenchCache& cache = session_.core().workbench();
        connection_ = cache.take(place_);
        if (connection_ == nullptr) {
            std::string options = co_await database_options();
            connection_ = co_await cache.open(place_, std::move(options));
        }
        session_.cancels_also(connection_.get());
    }
    const std::string& database() const { return place_.database; }
    backend::Connection& connection() { return *connection_; }
    bool lost() const { return connection_ != nullptr && connection_->broken; }
    std::string& out() { return connection_->out(); }

    /// Puts a query string whose answer is not the client's.
    void put(std::string_view sql) {
        wire::write_query(connection_->out(), sql);
        ++pending_;
    }
    /// Waits for all answers. Errors: throws the first.
    Task<> settle() {
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
    int& pending() { return pending_; }

    /// Positions count the characters of a text that the client has never seen.
    static Error error_of(const wire::Frame& frame) {
        Error error = wire::read_error(frame.body);
        error.position = 0;
        if (error.severity != "ERROR") error.severity = "ERROR";
        return error;
    }

   private:
    /// The database's encoding and locale as CREATE DATABASE wants them.
    Task<std::string> database_options() {
        const auto row = co_await session_.query_service(
            session_.home(),
            "SELECT pg_catalog.format('ENCODING %L LC_COLLATE %L LC_CTYPE %L%s', pg_catalog.pg_encoding_to_char(encoding), "
            "datcollate, datctype, CASE WHEN datlocprovider = 'i' THEN pg_catalog.format(' LOCALE_PROVIDER icu ICU_LOCALE %L', "
            "daticulocale) ELSE '' END) FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()");
        co_return row.scalar();
    }

    Session& session_;
    WorkbenchCache::Place place_;
    std::unique_ptr<backend::Connection> connection_;
    int pending_ = 0;  ///< ReadyForQuery that are owed
};

class WorkbenchRun {
   public:
    WorkbenchRun(Session& session, const Request& request)
        : session_(session), request_(request), plan_(*request.statement.workbench),
          bench_(session, {session.database(), session.environment().role.empty() ? session.user() : session.environment().role}) {}

    /// Returns the command tag. Errors: ConnectionLost if it was a shard's.
    Task<std::string> run() {
        try {
            co_await run_all();
        } catch (const backend::ConnectionLost&) {
            if (!bench_.lost()) throw;
            throw PgError(Error{.code = sqlstate::kSerializationFailure,
                                .message = "the workbench was lost in the middle of the query",
                                .hint = "Run the statement, or its transaction, again."});
        }
        co_return tag_;
    }

   private:
    Task<> run_all() {
        co_await bench_.open();
        co_await follow_objects(session_, bench_.database());
        bench_.put("BEGIN;" + settings_sql(session_) + create_tables());
        co_await pull_all();
        put_final();
        co_await relay_answer();
    }

    std::string create_tables() const {
        std::string sql;
        for (const Pull& pull : plan_.pulls) {
            sql += "CREATE TEMPORARY TABLE pg_temp." + planner::quote_identifier(pull.name) + " (" + pull.definition + ") ON COMMIT DROP;";
        }
        return sql;
    }

    Task<> pull_all() {
        WorkbenchPulls pulls(session_, request_);
        co_await pulls.begin();
        for (std::size_t i = 0; i < plan_.pulls.size(); ++i) {
            co_await pulls.send(i);
            co_await fill_table(pulls, plan_.pulls[i]);
        }
        co_await pulls.end();
        session_.release_statement_leases();
        co_await bench_.settle();
    }

    /// The body of a binary DataRow is a binary COPY tuple: it passes as it is.
    Task<> fill_table(WorkbenchPulls& pulls, const Pull& pull) {
        const std::string table = "pg_temp." + planner::quote_identifier(pull.name);
        bench_.put("COPY " + table + " FROM STDIN (FORMAT binary)");
        begin_frame();
        bench_.out() += kBinaryHead;
        rows_ = 0;
        co_await pulls.receive([this](std::string_view body) { add_row(body); }, [this] { return write_when_large(); });
        bench_.out() += "\xff\xff";
        end_frame();
        wire::write_empty(bench_.out(), 'c');
        if (rows_ > kAnalyzeRows) bench_.put("ANALYZE " + table);
        co_await bench_.connection().write();
    }

    void begin_frame() {
        frame_at_ = bench_.out().size();
        bench_.out().append("d\0\0\0\0", wire::kHeaderBytes);
    }
    void end_frame() {
        const auto length = static_cast<std::uint32_t>(bench_.out().size() - frame_at_ - 1);
        for (std::size_t i = 0; i < 4; ++i) bench_.out()[frame_at_ + 1 + i] = static_cast<char>(length >> (24 - 8 * i));
    }

    void add_row(std::string_view body) {
        bench_.out() += body;
        ++rows_;
        bytes_ += body.size();
        if (bytes_ > session_.core().cluster().options().workbench_bytes_max) {
            bench_.connection().broken = true;
            throw PgError(Error{.code = sqlstate::kConfigurationLimitExceeded,
                                .message = "the query needs more rows on the workbench than limits.workbench_max_bytes allows",
                                .hint = "Narrow it by conditions on single tables, or raise limits.workbench_max_bytes."});
        }
        if (bench_.out().size() - frame_at_ >= kFrameBytes) {
            end_frame();
            begin_frame();
        }
    }

    Task<> write_when_large() {
        if (bench_.out().size() < kFrameBytes) co_return;
        end_frame();
        co_await bench_.connection().write();
        begin_frame();
    }

    // ------------------------------------------------------------ the answer

    void put_final() {
        std::string& out = bench_.out();
        if (request_.simple()) {
            wire::write_query(out, plan_.final_sql);
        } else {
            std::vector<Oid> types = request_.prepared->description ? request_.prepared->description->parameters : request_.prepared->types;
            for (Oid& type : types) {
                if (type >= kFirstUserOid) type = 0;
            }
            wire::write_parse(out, "", plan_.final_sql, types);
            wire::FrameWriter(out, 'B').cstring("").cstring("").bytes(request_.bind->tail);
            wire::write_execute(out, "", 0);
            wire::write_sync(out);
        }
        wire::write_query(out, "ROLLBACK");
        bench_.pending() = 2;
    }

    Task<> relay_answer() {
        backend::Connection& connection = bench_.connection();
        co_await connection.write();
        std::optional<Error> failure;
        while (bench_.pending() > 0) {
            const std::string_view unread = connection.stream().input().unread();
            const auto frame = wire::next_frame(unread);
            if (!frame) {
                const std::size_t whole = wire::frame_bytes(unread);
                co_await session_.flush_answer();
                const std::size_t missing = whole > unread.size() ? whole - unread.size() : 0;
                co_await connection.fill(missing);
                continue;
            }
            connection.note(*frame);
            if (frame->type == 'E' && !failure) failure = Bench::error_of(*frame);
            else pass(*frame);
            connection.consume(*frame);
        }
        if (failure) throw PgError(*failure);
    }

    void pass(const wire::Frame& frame) {
        switch (frame.type) {
            case 'D': session_.answer() += frame.whole; break;
            case 'T': pass_description(frame); break;
            case 'N': session_.client().out() += frame.whole; break;
            case 'C':
                if (bench_.pending() == 2) tag_ = wire::Reader(frame.body).cstring();
                break;
            case 'Z': --bench_.pending(); break;
            default: break;
        }
    }

    /// The temporary tables are nobody's business.
    void pass_description(const wire::Frame& frame) {
        std::vector<wire::Field> fields = wire::read_row_description(frame.body);
        for (wire::Field& field : fields) {
            field.table = 0, field.attribute = 0;
            if (field.type >= kFirstUserOid) field.type = type_at_home(bench_.database(), field.type);
        }
        wire::write_row_description(session_.answer(), fields);
    }

    Session& session_;
    const Request& request_;
    const planner::Workbench& plan_;
    Bench bench_;
    std::size_t frame_at_ = 0;
    std::uint64_t rows_ = 0;   ///< of the table that is being filled
    std::uint64_t bytes_ = 0;  ///< of all of them
    std::string tag_;
};

}  // namespace

Task<> execute_workbench(Session& session, const Request& request) {
    std::string tag;
    try {
        WorkbenchRun run(session, request);
        tag = co_await run.run();
    } catch (const backend::ConnectionLost&) {
        session.on_connection_lost(false, false);
    }
    session.complete(request, std::move(tag));
}

}  // namespace pgmosaic::coordinator

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/internal/workbench_cache.h"
#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// A session on the workbench for one statement; a cancel request of the client reaches it, too. The statement's transaction there is
/// rolled back in the end: nothing ever remains.
///
/// Lifetime  borrows the session; destroyed before its answers have all come, it closes the connection
/// Errors    the server's, without positions, for the client has never seen these texts; ConnectionLost
/// Bound     limits.workbench_max_bytes for the rows of all tables
class Bench {
   public:
    explicit Bench(Session& session);
    ~Bench();
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;

    /// Does the statement's work. Errors: 40001 if the workbench was lost; ConnectionLost if it was a shard.
    Task<std::string> run(Task<std::string> work);
    Task<> open();
    const std::string& database() const { return place_.database; }
    backend::Connection& connection() { return *connection_; }
    std::string& out() { return connection_->out(); }

    /// Puts a query string whose answer is not the client's.
    void put(std::string_view sql);
    /// BEGIN and the client's settings.
    void begin();
    /// Puts the statement that the workbench is there for, with the client's parameters and formats.
    void put_final(const Request& request, std::string_view sql);
    /// Waits for all answers. Errors: throws the first.
    Task<> settle();
    int& pending() { return pending_; }
    /// Passes the answer of the oldest statement that is pending on to the client (or to where answers go), and reads what else is pending.
    /// `kept`: it is kept there, and nothing is passed on. Returns the command tag. Errors: throws the first.
    Task<std::string> relay_answer(std::string* kept = nullptr);
    /// Runs SQL; rows as text. Nothing is pending.
    Task<backend::QueryResult> query(std::string sql);
    /// Puts one query whose columns come in these formats; its rows are taken one by one.
    void put_query(std::string_view sql, const std::vector<bool>& binary);
    /// The next row's DataRow body; false after the last one.
    Task<bool> next_row(std::string& body);

    // ---- rows for a table, by binary COPY; `table` may have a list of columns
    void begin_copy(const std::string& table);
    void add_row(std::string_view body);
    Task<> write_when_large();
    Task<> end_copy(const std::string& table);

    static Error error_of(const wire::Frame& frame);

   private:
    bool lost() const { return connection_ != nullptr && connection_->broken; }
    std::string settings_sql() const;
    Task<std::string> database_options();
    void begin_frame();
    void end_frame();
    void pass(const wire::Frame& frame, std::string& answer);
    void pass_description(const wire::Frame& frame, std::string& answer) const;
    void check_kept(const std::string& kept);

    Session& session_;
    WorkbenchCache::Place place_;
    std::unique_ptr<backend::Connection> connection_;
    int pending_ = 0;  ///< ReadyForQuery that are owed
    std::size_t frame_at_ = 0;
    std::uint64_t rows_ = 0;   ///< of the table that is being filled
    std::uint64_t bytes_ = 0;  ///< of all of them
};

}  // namespace pgmosaic::coordinator

#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace pgmosaic::store {

/// Thrown within the store only, and turned into a Result at its surface.
struct SqliteFailure {
    Error error;
};

/// A database file with what SQLite says about it. Its functions throw SqliteFailure.
class Database {
   public:
    explicit Database(std::string path);

    void run(const char* sql);
    sqlite3* handle() const { return handle_.get(); }
    /// Rows changed by the last statement.
    int changes() const { return sqlite3_changes(handle_.get()); }
    [[noreturn]] void fail(int code) const;

   private:
    struct Close {
        void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
    };
    std::string path_;
    std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement; parameters are bound by position from 1. Views must live until the last step.
class Query {
   public:
    Query(const Database& database, const char* sql);

    Query& bind(int position, std::string_view text);
    Query& bind(int position, std::uint64_t number);
    Query& bind_null(int position);
    /// True while there is a row.
    bool step();
    std::string text(int column) const;
    std::optional<std::string> optional_text(int column) const;
    std::uint64_t number(int column) const;

   private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    const Database& database_;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Rolls back unless it was committed.
class Transaction {
   public:
    explicit Transaction(Database& database) : database_(database) { database_.run("BEGIN IMMEDIATE"); }
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    void commit();

   private:
    Database& database_;
    bool open_ = true;
};

}  // namespace pgmosaic::store

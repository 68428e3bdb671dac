#include "shardmap/store/internal/sqlite.h"

namespace pgmosaic::store {

namespace {

SqlState code_of(int sqlite_code) {
    switch (sqlite_code & 0xff) {
        case SQLITE_FULL: return sqlstate::kDiskFull;
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return sqlstate::kObjectInUse;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return sqlstate::kDataCorrupted;
        case SQLITE_NOMEM: return sqlstate::kOutOfMemory;
        default: return sqlstate::kIoError;
    }
}

std::string hint_for(SqlState code) {
    if (code == sqlstate::kObjectInUse) return "Only one pgmosaic can use a store. Stop the other one first.";
    if (code == sqlstate::kDiskFull) return "Make room on the disk that holds the store; nothing was changed.";
    if (code == sqlstate::kDataCorrupted) return "Put a copy of the file back, or move it away to begin with an empty store.";
    return {};
}

std::string message_for(SqlState code, const std::string& path) {
    if (code == sqlstate::kObjectInUse) return "store \"" + path + "\" is held by another process";
    if (code == sqlstate::kDataCorrupted) return "store \"" + path + "\" is damaged or not a store";
    return "could not use store \"" + path + "\"";
}

}  // namespace

Database::Database(std::string path) : path_(std::move(path)) {
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(path_.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    handle_.reset(handle);
    if (code != SQLITE_OK) fail(code);
    sqlite3_extended_result_codes(handle, 1);
}

void Database::run(const char* sql) {
    const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) fail(code);
}

void Database::fail(int code) const {
    const SqlState state = code_of(code);
    throw SqliteFailure{Error{.code = state,
                              .message = message_for(state, path_),
                              .detail = std::string("SQLite says: ") + sqlite3_errmsg(handle_.get()) + ".",
                              .hint = hint_for(state)}};
}

Query::Query(const Database& database, const char* sql) : database_(database) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(database.handle(), sql, -1, &statement, nullptr);
    statement_.reset(statement);
    if (code != SQLITE_OK) database.fail(code);
}

Query& Query::bind(int position, std::string_view text) {
    // A null pointer would bind NULL; the text outlives the statement's steps.
    const char* data = text.data() == nullptr ? "" : text.data();
    const int code = sqlite3_bind_text64(statement_.get(), position, data, text.size(), SQLITE_STATIC, SQLITE_UTF8);
    if (code != SQLITE_OK) database_.fail(code);
    return *this;
}

Query& Query::bind(int position, std::uint64_t number) {
    const int code = sqlite3_bind_int64(statement_.get(), position, static_cast<sqlite3_int64>(number));
    if (code != SQLITE_OK) database_.fail(code);
    return *this;
}

Query& Query::bind_null(int position) {
    const int code = sqlite3_bind_null(statement_.get(), position);
    if (code != SQLITE_OK) database_.fail(code);
    return *this;
}

bool Query::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) database_.fail(code);
    return false;
}

std::string Query::text(int column) const { return optional_text(column).value_or(std::string()); }

std::optional<std::string> Query::optional_text(int column) const {
    const unsigned char* bytes = sqlite3_column_text(statement_.get(), column);
    if (bytes == nullptr) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(bytes),
                       static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

std::uint64_t Query::number(int column) const {
    return static_cast<std::uint64_t>(sqlite3_column_int64(statement_.get(), column));
}

Transaction::~Transaction() {
    // After a full disk SQLite may have rolled back by itself; a second ROLLBACK then says so, harmlessly.
    if (open_) sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
    database_.run("COMMIT");
    open_ = false;
}

}  // namespace pgmosaic::store

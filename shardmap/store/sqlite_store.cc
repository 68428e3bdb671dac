#include "shardmap/store/sqlite_store.h"

#include <filesystem>
#include <mutex>

#include "shardmap/store/internal/sqlite.h"

namespace pgmosaic::store {

namespace {

constexpr std::uint64_t kApplicationId = 0x706d6f73;  // "pmos", in the file's header: another program's file is recognised
constexpr std::uint64_t kSchemaVersion = 1;
constexpr std::uint64_t kHistoryMax = 100'000;

constexpr const char* kSchema = R"sql(
    CREATE TABLE records (key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE history (revision INTEGER NOT NULL, key TEXT NOT NULL, value TEXT, at TEXT NOT NULL, reason TEXT NOT NULL,
                          PRIMARY KEY (revision, key)) WITHOUT ROWID;
    CREATE TABLE events (id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE counter (revision INTEGER NOT NULL);
    INSERT INTO counter VALUES (0);
    PRAGMA application_id = 1886220147;
    PRAGMA user_version = 1;
)sql";

std::uint64_t scalar(const Database& database, const char* sql) {
    Query query(database, sql);
    return query.step() ? query.number(0) : 0;
}

std::string scalar_text(const Database& database, const char* sql) {
    Query query(database, sql);
    return query.step() ? query.text(0) : std::string();
}

Error not_ours(const std::string& path, std::string detail) {
    return Error{.code = sqlstate::kDataCorrupted,
                 .message = "store \"" + path + "\" is damaged or not a store",
                 .detail = std::move(detail),
                 .hint = "Put a copy of the file back, or move it away to begin with an empty store."};
}

// Takes the lock first: in exclusive mode the first write transaction gets it for as long as the file is open.
void take(Database& database) {
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = FULL");
    database.run("PRAGMA foreign_keys = ON");
    database.run("BEGIN EXCLUSIVE; COMMIT");
}

void check_or_create(Database& database, const std::string& path) {
    const std::uint64_t application = scalar(database, "PRAGMA application_id");
    const std::uint64_t version = scalar(database, "PRAGMA user_version");
    const bool empty = scalar(database, "SELECT count(*) FROM sqlite_schema") == 0;
    if (empty && application == 0) {
        Transaction transaction(database);
        database.run(kSchema);
        transaction.commit();
        return;
    }
    if (application != kApplicationId) throw SqliteFailure{not_ours(path, "The file belongs to another program.")};
    if (version != kSchemaVersion) {
        throw SqliteFailure{not_ours(path, "Its format has version " + std::to_string(version) + "; this program reads " +
                                               std::to_string(kSchemaVersion) + ".")};
    }
    const std::string verdict = scalar_text(database, "PRAGMA quick_check(1)");
    if (verdict != "ok") throw SqliteFailure{not_ours(path, "SQLite's check says: " + verdict + ".")};
}

std::uint64_t revision_of(const Database& database, std::string_view key) {
    Query query(database, "SELECT revision FROM records WHERE key = ?");
    query.bind(1, key);
    return query.step() ? query.number(0) : 0;
}

void write_record(Database& database, const Write& write, std::uint64_t revision) {
    if (!write.value) {
        Query query(database, "DELETE FROM records WHERE key = ?");
        query.bind(1, write.key).step();
        return;
    }
    Query query(database, "INSERT OR REPLACE INTO records VALUES (?, ?, ?)");
    query.bind(1, write.key).bind(2, *write.value).bind(3, revision).step();
}

void write_history(Database& database, const Write& write, std::uint64_t revision, std::string_view reason) {
    Query query(database, "INSERT INTO history VALUES (?, ?, ?, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?)");
    query.bind(1, revision).bind(2, write.key).bind(4, reason);
    if (write.value) {
        query.bind(3, *write.value);
    } else {
        query.bind_null(3);
    }
    query.step();
}

Error conflict(const Write& write, std::uint64_t present) {
    return Error{.code = sqlstate::kSerializationFailure,
                 .message = "record \"" + write.key + "\" was changed meanwhile",
                 .detail = "Its revision is " + std::to_string(present) + ", not " + std::to_string(write.expected.value) + "."};
}

void forget_old_history(Database& database, std::uint64_t revision) {
    if (revision <= kHistoryMax) return;
    Query query(database, "DELETE FROM history WHERE revision <= ?");
    query.bind(1, revision - kHistoryMax).step();
}

// Keys are compared by their first bytes; a prefix holds no wildcard this way.
constexpr const char* kListSql = "SELECT key, value, revision FROM records WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key";
constexpr const char* kHistorySql =
    "SELECT revision, key, value, at, reason FROM history WHERE substr(key, 1, length(?1)) = ?1 ORDER BY revision DESC, key LIMIT ?2";
constexpr const char* kEventsSql =
    "SELECT id, at, kind, body FROM (SELECT * FROM events WHERE id > ? ORDER BY id DESC LIMIT ?) ORDER BY id";

}  // namespace

struct SqliteStore::State {
    std::mutex mutex;
    std::string path;
    Database database;

    explicit State(const std::string& file) : path(file), database(file) {}

    // Runs one call: alone, and with SQLite's failures as values.
    template <class T, class Body>
    Result<T> call(Body body) {
        const std::lock_guard guard(mutex);
        try {
            return body(database);
        } catch (SqliteFailure& failure) {
            return std::move(failure.error);
        }
    }
};

SqliteStore::SqliteStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) {
    std::error_code ignored;
    const auto folder = std::filesystem::path(path).parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, ignored);  // a failure shows when the file is opened
    try {
        auto state = std::make_unique<State>(path);
        take(state->database);
        check_or_create(state->database, path);
        return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(state)));
    } catch (SqliteFailure& failure) {
        return std::move(failure.error);
    }
}

Result<std::optional<Entry>> SqliteStore::get(std::string_view key) {
    return state_->call<std::optional<Entry>>([&](Database& database) -> Result<std::optional<Entry>> {
        Query query(database, "SELECT value, revision FROM records WHERE key = ?");
        query.bind(1, key);
        if (!query.step()) return std::optional<Entry>();
        return std::optional<Entry>(Entry{std::string(key), query.text(0), Revision{query.number(1)}});
    });
}

Result<Listing> SqliteStore::list(std::string_view prefix) {
    return state_->call<Listing>([&](Database& database) -> Result<Listing> {
        Listing listing{.at = Revision{scalar(database, "SELECT revision FROM counter")}};
        Query query(database, kListSql);
        query.bind(1, prefix);
        while (query.step()) listing.entries.push_back({query.text(0), query.text(1), Revision{query.number(2)}});
        return listing;
    });
}

Result<Revision> SqliteStore::apply(const std::vector<Write>& writes, std::string_view reason) {
    return state_->call<Revision>([&](Database& database) -> Result<Revision> {
        Transaction transaction(database);
        database.run("UPDATE counter SET revision = revision + 1");
        const std::uint64_t revision = scalar(database, "SELECT revision FROM counter");
        for (const Write& write : writes) {
            const std::uint64_t present = revision_of(database, write.key);
            if (present != write.expected.value) return conflict(write, present);
            write_record(database, write, revision);
            write_history(database, write, revision, reason);
        }
        forget_old_history(database, revision);
        transaction.commit();
        return Revision{revision};
    });
}

Result<std::vector<Change>> SqliteStore::history(std::string_view prefix, std::size_t changes_max) {
    return state_->call<std::vector<Change>>([&](Database& database) -> Result<std::vector<Change>> {
        std::vector<Change> changes;
        Query query(database, kHistorySql);
        query.bind(1, prefix).bind(2, std::uint64_t{changes_max});
        while (query.step()) {
            changes.push_back({Revision{query.number(0)}, query.text(1), query.optional_text(2), query.text(3), query.text(4)});
        }
        return changes;
    });
}

Result<std::uint64_t> SqliteStore::append_event(std::string_view kind, std::string_view body) {
    return state_->call<std::uint64_t>([&](Database& database) -> Result<std::uint64_t> {
        Transaction transaction(database);
        Query query(database, "INSERT INTO events (at, kind, body) VALUES (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?, ?)");
        query.bind(1, kind).bind(2, body).step();
        const auto id = static_cast<std::uint64_t>(sqlite3_last_insert_rowid(database.handle()));
        if (id > kHistoryMax) {
            Query old(database, "DELETE FROM events WHERE id <= ?");
            old.bind(1, id - kHistoryMax).step();
        }
        transaction.commit();
        return id;
    });
}

Result<std::vector<Event>> SqliteStore::events(std::uint64_t after, std::size_t events_max) {
    return state_->call<std::vector<Event>>([&](Database& database) -> Result<std::vector<Event>> {
        std::vector<Event> events;
        Query query(database, kEventsSql);
        query.bind(1, after).bind(2, std::uint64_t{events_max});
        while (query.step()) events.push_back({query.number(0), query.text(1), query.text(2), query.text(3)});
        return events;
    });
}

}  // namespace pgmosaic::store

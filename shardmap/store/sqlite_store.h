#pragma once

#include <memory>
#include <string>

#include "shardmap/store/store.h"

namespace pgmosaic::store {

/// The embedded store: one file, written ahead with full sync, held by one process only.
///
/// Core      any: one mutex; see Store for how long calls take
/// Lifetime  the file is held from open() until the destructor; a killed process lets go of it by dying
/// Errors    open(): 55006 another process holds the file, 58030 cannot be made or written, XX001 not a store, damaged or
///           made by a newer version; see Store for the rest
/// Source    sqlite.org "Write-Ahead Logging" (synchronous=FULL syncs each commit; locking_mode=EXCLUSIVE needs no shared memory)
class SqliteStore final : public Store {
   public:
    static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);
    ~SqliteStore() override;
    SqliteStore(const SqliteStore&) = delete;
    SqliteStore& operator=(const SqliteStore&) = delete;

    Result<std::optional<Entry>> get(std::string_view key) override;
    Result<Listing> list(std::string_view prefix) override;
    Result<Revision> apply(const std::vector<Write>& writes, std::string_view reason) override;
    Result<std::vector<Change>> history(std::string_view prefix, std::size_t changes_max) override;
    Result<std::uint64_t> append_event(std::string_view kind, std::string_view body) override;
    Result<std::vector<Event>> events(std::uint64_t after, std::size_t events_max) override;

   private:
    struct State;
    explicit SqliteStore(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace pgmosaic::store

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "shardmap/shard.h"

namespace pgmosaic::store {

using shardmap::Revision;

/// A record: its text, and the store's revision when it was last changed.
struct Entry {
    std::string key{};
    std::string value{};
    Revision revision{};
};

/// Records of one moment.
struct Listing {
    Revision at{};  ///< of the whole store: grows with every change of any record
    std::vector<Entry> entries{};
};

/// One compare-and-set: takes effect only if the record's revision is `expected` (0: there is no such record).
struct Write {
    std::string key{};
    Revision expected{};
    std::optional<std::string> value{};  ///< nullopt: the record goes
};

/// A past change of a record.
struct Change {
    Revision revision{};
    std::string key{};
    std::optional<std::string> value{};  ///< nullopt: it was removed
    std::string at{};                    ///< RFC 3339, UTC, milliseconds
    std::string reason{};
};

/// Something worth telling an operator: a failover with its phases, a standby that left …
struct Event {
    std::uint64_t id = 0;
    std::string at{};
    std::string kind{};  ///< "failover", "standby_lost" …
    std::string body{};  ///< a JSON object
};

/// Durable records that change by compare-and-set only, their history, and the log of events.
///
/// Core    any: guards itself; calls block, and are short (a durable compare-and-set is 0.05-1 ms on a local disk)
/// Errors  40001 a record's revision is not the expected one (is_conflict); 53100 disk full; 58030 the disk failed;
///         XX001 what is there cannot be read. After any error nothing of the call has taken effect.
/// Bound   the newest 100,000 changes and events are kept
class Store {
   public:
    virtual ~Store() = default;

    virtual Result<std::optional<Entry>> get(std::string_view key) = 0;
    /// All records whose key begins with `prefix`, by key.
    virtual Result<Listing> list(std::string_view prefix) = 0;
    /// All of the writes or none. Returns the revision that the changed records have now.
    virtual Result<Revision> apply(const std::vector<Write>& writes, std::string_view reason) = 0;
    /// Newest first.
    virtual Result<std::vector<Change>> history(std::string_view prefix, std::size_t changes_max) = 0;

    virtual Result<std::uint64_t> append_event(std::string_view kind, std::string_view body) = 0;
    /// The newest `events_max` with an id above `after`, oldest first.
    virtual Result<std::vector<Event>> events(std::uint64_t after, std::size_t events_max) = 0;

    Result<Revision> compare_and_set(std::string key, Revision expected, std::string value, std::string_view reason) {
        return apply({Write{std::move(key), expected, std::move(value)}}, reason);
    }
    Result<Revision> compare_and_remove(std::string key, Revision expected, std::string_view reason) {
        return apply({Write{std::move(key), expected, std::nullopt}}, reason);
    }
};

/// Somebody else changed the record first: read again and decide anew.
inline bool is_conflict(const Error& error) { return error.code == sqlstate::kSerializationFailure; }

}  // namespace pgmosaic::store

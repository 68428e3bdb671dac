#include "coordinator/internal/copy_keys.h"

#include <algorithm>
#include <charconv>

#include "shardmap/hash.h"

namespace pgmosaic::coordinator {

namespace {

bool is_ascii(std::string_view bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
}

Bucket read_bucket(const backend::QueryResult& result) {
    const std::string text = result.scalar();
    std::uint16_t bucket = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bucket);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw PgError(Error{.code = sqlstate::kInternalError, .message = "the bucket of a key cannot be read: \"" + text + "\""});
    }
    return Bucket{bucket};
}

}  // namespace

CopyKeys::CopyKeys(Session& session, const planner::Table& table, const planner::Copy& copy)
    : session_(session), table_(table), column_(table.columns.at(static_cast<std::size_t>(table.key))),
      map_(session.core().map()), home_(map_->home()), binary_(copy.format == planner::Copy::Format::kBinary),
      utf8_(session.utf8() && !copy.force_other_options), forced_(copy.force_other_options) {
    owners_ = map_->owners(table.group);
    if (owners_ == nullptr) {
        throw PgError(Error{.code = sqlstate::kObjectNotInPrerequisiteState,
                            .message = "table \"" + table.name + "\" is not spread over the shards any more",
                            .hint = "Run the statement again."});
    }
}

ShardId CopyKeys::on_null() const {
    // PostgreSQL's own error, with the row and its line, comes from a shard that gets the row.
    if (column_.not_null && !table_.has_row_triggers && !forced_) return home_;
    throw PgError(Error{.code = sqlstate::kNotNullViolation,
                        .message = "null value in shard key column \"" + column_.name + "\" of relation \"" + table_.name + "\"",
                        .detail = "A row without its key belongs to no shard."});
}

void CopyKeys::check_encoding(std::string_view key) const {
    if (utf8_ || is_ascii(key)) return;
    throw PgError(refusal("a shard key with non-ASCII characters needs the client encoding UTF8",
                          "The key is hashed before PostgreSQL converts it.", "SET client_encoding TO 'UTF8', and no option ENCODING."));
}

std::optional<ShardId> CopyKeys::find(const CopyRow& row) const {
    if (row.key_state == CopyRow::Key::kMissing) return home_;  // "missing data for column" and its like
    if (row.key_state == CopyRow::Key::kNull) return on_null();
    if (!utf8_) check_encoding(row.key);
    if (forced_ && row.key.empty()) return on_null();
    const auto bucket = binary_ ? shardmap::bucket_of_binary(column_.type, column_.type, row.key, column_.typmod)
                                : shardmap::bucket_of_text(column_.type, row.key, column_.typmod);
    if (!bucket) return std::nullopt;
    return owner(*bucket);
}

/// Not the transaction's session of the home shard: that one is in the middle of a COPY.
Task<> CopyKeys::open_aside() {
    aside_ = co_await session_.core().pool().acquire(home_, session_.database(), session_.user());
    backend::Connection& connection = *aside_;
    const auto* known = connection.settings ? static_cast<const SettingsState*>(connection.settings.get())
                        : connection.fresh  ? session_.core().settings().empty().get()
                                            : nullptr;
    const std::string change = settings_change(known, *session_.settings());
    connection.fresh = false;
    connection.settings = nullptr;
    if (!change.empty()) (co_await backend::run_query(connection, change, Deadline::after(60s))).value();
    connection.settings = session_.settings();
}

Task<ShardId> CopyKeys::ask(const CopyRow& row) {
    std::string key(row.key);
    if (binary_) {
        throw PgError(Error{.code = SqlState{"22P03"},
                            .message = "incorrect binary data format for shard key \"" + column_.name + "\""});
    }
    const auto known = answers_.find(key);
    if (known != answers_.end()) co_return known->second;
    if (!aside_) co_await open_aside();
    const std::string sql = "SELECT pg_catalog.hash_record_extended(ROW(" + planner::quote_literal(key) + "::" + column_.type_name +
                            "), 8816678312871386365) & 65535";
    const auto result = co_await backend::run_query(*aside_, sql, Deadline::after(60s));
    ShardId shard = home_;
    if (result) {
        shard = owner(read_bucket(*result));
    } else if (!result.error().code.view().starts_with("22")) {
        throw PgError(result.error());
    }
    if (answers_.size() < kAnswersMax) answers_.emplace(std::move(key), shard);
    co_return shard;
}

}  // namespace pgmosaic::coordinator

#include "coordinator/internal/row_writer.h"

#include <algorithm>
#include <charconv>

#include "coordinator/internal/shard_statement.h"
#include "shardmap/hash.h"
#include "shardmap/key_types.h"

namespace pgmosaic::coordinator {

using planner::Placement;

namespace {

constexpr Oid kTextOid = 25;

/// Types that PostgreSQL assigns a text to. A text that goes into any other type was a literal without a type of its own, which
/// the column's type reads; every other text PostgreSQL has refused by now.
bool takes_text(Oid type) {
    constexpr Oid kTaking[] = {18, 19, kTextOid, 142, 1042, 1043, 2205};  // "char", name, text, xml, bpchar, varchar, regclass
    return std::find(std::begin(kTaking), std::end(kTaking), type) != std::end(kTaking);
}

std::string column_name(std::size_t i) { return "c" + std::to_string(i + 1); }

std::uint16_t read_bucket(const std::string& text) {
    std::uint16_t bucket = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bucket);
    if (error != std::errc{} || end != text.data() + text.size()) {
        throw PgError(Error{.code = sqlstate::kInternalError, .message = "the bucket of a key cannot be read: \"" + text + "\""});
    }
    return bucket;
}

}  // namespace

/// A shard's share of a batch.
struct RowWriter::Part {
    std::vector<std::size_t> numbers{};  ///< of the rows in the batch
    std::vector<ColumnArray> arrays{};
    std::vector<std::string> returned{};
    std::optional<ShardReply> reply{};
};

/// What the home shard gave for columns that need one place: rows × fills.
struct RowWriter::Fills {
    std::vector<std::vector<std::optional<std::string>>> rows{};
};

RowWriter::RowWriter(Session& session, const Request& request, const planner::InsertSelect& plan, std::vector<SourceColumn> columns)
    : session_(session), request_(request), plan_(plan), columns_(std::move(columns)), answer_(&session.answer()) {
    for (std::size_t i = columns_.size(); i < plan_.targets.size(); ++i) {
        if (!plan_.targets[i].fill.empty()) fills_.push_back(i);
    }
    sql_ = statement();
}

// ---------------------------------------------------------------- the statement

/// What stands in the SELECT for a column of the source.
std::string RowWriter::value_of(std::size_t source) const {
    const SourceColumn& column = columns_[source];
    const std::string name = "pgm." + column_name(source);
    const planner::InsertSelect::Target* target = source < plan_.targets.size() ? &plan_.targets[source] : nullptr;
    if (column.type == kTextOid && target != nullptr && !takes_text(target->type)) return "CAST(" + name + " AS " + target->type_name + ")";
    return column.binary || column.type == kTextOid ? name : "CAST(" + name + " AS " + column.type_name + ")";
}

std::string RowWriter::statement() const {
    const std::size_t parameters = request_.bind == nullptr ? 0 : request_.bind->values.size();
    std::string names, values, arrays, aliases;
    const auto add = [&](const std::string& value, std::size_t number) {
        values += (values.empty() ? "" : ", ") + value;
        arrays += (arrays.empty() ? "pg_catalog.unnest($" : ", pg_catalog.unnest($") + std::to_string(parameters + number + 1) + ")";
        aliases += (aliases.empty() ? "" : ", ") + column_name(number);
    };
    std::size_t number = 0;
    for (std::size_t i = 0; i < columns_.size(); ++i, ++number) {
        if (i < plan_.targets.size()) names += (names.empty() ? "" : ", ") + planner::quote_identifier(plan_.targets[i].name);
        add(value_of(i), number);
    }
    for (const std::size_t fill : fills_) {
        const planner::InsertSelect::Target& target = plan_.targets[fill];
        names += (names.empty() ? "" : ", ") + planner::quote_identifier(target.name);
        add("CAST(pgm." + column_name(number) + " AS " + target.type_name + ")", number);
        ++number;
    }
    std::string sql = plan_.head;
    if (!names.empty()) sql += " (" + names + ")";
    if (!plan_.overriding.empty()) sql += " " + plan_.overriding;
    sql += " SELECT " + values + " FROM ROWS FROM (" + arrays + ") AS pgm (" + aliases + ")";
    if (!plan_.tail.empty()) sql += " " + plan_.tail;
    return sql;
}

// ---------------------------------------------------------------- the batch

void RowWriter::add(std::string_view body) {
    batch_ += body;
    ends_.push_back(batch_.size());
    if (!plan_.at_once || batch_.size() <= session_.core().cluster().options().memory_bytes_max) return;
    throw PgError(Error{.code = sqlstate::kConfigurationLimitExceeded,
                        .message = "the rows of this INSERT with ON CONFLICT DO UPDATE need more memory than limits.memory allows",
                        .detail = "They must go to each shard in one statement, so that no row is changed twice.",
                        .hint = "Insert them in parts, or raise limits.memory."});
}

bool RowWriter::full() const { return !plan_.at_once && (batch_.size() >= kBatchBytes || ends_.size() >= kBatchRows); }

Task<> RowWriter::finish() {
    if (!ends_.empty() || !written_) co_await flush();
}

Task<> RowWriter::flush() {
    written_ = true;
    const Fills fills = co_await fill(ends_.size());
    shards_.assign(ends_.size(), session_.home());
    if (plan_.placement == Placement::kSharded) co_await choose_shards(fills);
    std::map<ShardId, Part> parts;
    for (std::size_t row = 0; row < ends_.size(); ++row) parts[shards_[row]].numbers.push_back(row);
    if (parts.empty()) parts[session_.home()];
    for (auto& [shard, part] : parts) co_await send(shard, part, fills);
    for (auto& [shard, part] : parts) {
        co_await part.reply->collect(part.returned);
        rows_ += wire::tag_rows(part.reply->tag());
    }
    for (auto& [shard, part] : parts) {
        if (part.reply->error()) {
            Error error = *part.reply->error();
            error.position = 0;  // it counts in a text that the client has never seen
            throw_shard_error(session_, shard, std::move(error));
        }
        for (const std::string& notice : part.reply->notices) session_.client().out() += notice;
    }
    if (plan_.placement == Placement::kReference) co_await copy_to_others(parts.begin()->second);
    take_returned(parts);
    batch_.clear();
    ends_.clear();
    if (answer_ == &session_.client().out() && answer_->size() >= ClientStream::kFlushBytes) co_await session_.client().flush();
}

Task<> RowWriter::send(ShardId shard, Part& part, const Fills& fills) {
    Participant* participant = co_await session_.use_shard(shard, true);
    backend::Connection& connection = participant->connection();
    session_.note_state(request_.statement, connection);
    for (const SourceColumn& column : columns_) part.arrays.emplace_back(column.binary ? column.type : kTextOid);
    for (std::size_t i = 0; i < fills_.size(); ++i) part.arrays.emplace_back(kTextOid);
    for (const std::size_t row : part.numbers) {
        const std::size_t begin = row == 0 ? 0 : ends_[row - 1];
        read_values(std::string_view(batch_).substr(begin, ends_[row] - begin), columns_.size(), values_);
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (values_[i].data() == nullptr) part.arrays[i].add_null();
            else part.arrays[i].add(values_[i]);
        }
        for (std::size_t i = 0; i < fills_.size(); ++i) {
            const std::optional<std::string>& value = fills.rows[row][i];
            if (value) part.arrays[columns_.size() + i].add(*value);
            else part.arrays[columns_.size() + i].add_null();
        }
    }
    std::vector<Oid> types;
    if (request_.prepared != nullptr) types = request_.prepared->description ? request_.prepared->description->parameters : request_.prepared->types;
    types.resize(request_.bind == nullptr ? 0 : request_.bind->values.size());
    std::replace_if(types.begin(), types.end(), [](Oid type) { return type >= kFirstUserOid; }, Oid{0});
    for (const SourceColumn& column : columns_) types.push_back(column.binary ? array_type_of(column.type) : kTextArrayOid);
    for (std::size_t i = 0; i < fills_.size(); ++i) types.push_back(kTextArrayOid);
    wire::write_parse(connection.out(), "", sql_, types);
    connection.unnamed_statement = 0;
    put_bind(connection.out(), part);
    wire::write_describe(connection.out(), 'P', "");
    wire::write_execute(connection.out(), "", 0);
    wire::write_sync(connection.out());
    part.arrays.clear();
    part.reply.emplace(*participant);
    co_await connection.write();
}

/// The client's parameters, which RETURNING or ON CONFLICT may use, and then the arrays.
void RowWriter::put_bind(std::string& out, const Part& part) const {
    const wire::Bind* bind = request_.bind;
    const std::size_t own = bind == nullptr ? 0 : bind->values.size();
    wire::FrameWriter frame(out, 'B');
    frame.cstring("").cstring("");
    frame.int16(static_cast<std::int32_t>(own + part.arrays.size()));
    for (std::size_t i = 0; i < own; ++i) frame.int16(static_cast<std::int32_t>(bind->parameter_format(i)));
    for (std::size_t i = 0; i < part.arrays.size(); ++i) frame.int16(1);
    frame.int16(static_cast<std::int32_t>(own + part.arrays.size()));
    for (std::size_t i = 0; i < own; ++i) {
        frame.int32(bind->values[i].second);
        if (bind->values[i].second > 0) frame.bytes({bind->values[i].first, static_cast<std::size_t>(bind->values[i].second)});
    }
    for (const ColumnArray& array : part.arrays) array.write(out);
    if (plan_.copied.empty()) {
        if (bind != nullptr) frame.bytes(bind->result_formats_raw);
        else frame.int16(0);
        return;
    }
    const std::size_t returned = request_.prepared != nullptr && request_.prepared->description ? request_.prepared->description->fields.size() : 0;
    if (bind == nullptr) {
        frame.int16(0);
        return;
    }
    frame.int16(static_cast<std::int32_t>(plan_.copied.size() + returned));
    for (std::size_t i = 0; i < plan_.copied.size(); ++i) frame.int16(0);
    for (std::size_t i = 0; i < returned; ++i) frame.int16(static_cast<std::int32_t>(bind->result_format(i)));
}

/// What the leader has stored, not what was asked for, goes to the copies of a reference table (PROTOCOLS 1.11).
Task<> RowWriter::copy_to_others(const Part& part) {
    if (part.returned.empty()) co_return;
    std::string sql = plan_.copy_head + " VALUES ";
    std::string rest;
    for (std::size_t i = 0; i < part.returned.size(); ++i) sql += (i == 0 ? "" : ",") + take_values(part.returned[i], plan_.copied.size(), rest);
    std::vector<ShardId> others;
    for (ShardId shard : session_.core().map()->shard_ids()) {
        if (shard != session_.home()) others.push_back(shard);
    }
    co_await run_on_shards(session_, others, std::move(sql), true);
}

/// Rows of RETURNING, in the order of the source's where every row gave one.
void RowWriter::take_returned(std::map<ShardId, Part>& parts) {
    if (!request_.statement.returns_rows) return;
    if (!described_ && request_.simple()) {
        std::vector<wire::Field> fields = parts.begin()->second.reply->fields();
        fields.erase(fields.begin(), fields.begin() + static_cast<std::ptrdiff_t>(std::min(plan_.copied.size(), fields.size())));
        wire::write_row_description(*answer_, fields);
    }
    described_ = true;
    bool complete = true;
    for (const auto& [shard, part] : parts) complete = complete && part.returned.size() == part.numbers.size();
    std::vector<std::string> ordered(complete ? ends_.size() : 0);
    std::string rest;
    for (auto& [shard, part] : parts) {
        for (std::size_t i = 0; i < part.returned.size(); ++i) {
            std::string body = std::move(part.returned[i]);
            if (!plan_.copied.empty()) {
                take_values(body, plan_.copied.size(), rest);
                body = rest;
            }
            if (complete) ordered[part.numbers[i]] = std::move(body);
            else wire::FrameWriter(*answer_, 'D').bytes(body);
        }
    }
    for (const std::string& body : ordered) wire::FrameWriter(*answer_, 'D').bytes(body);
}

// ---------------------------------------------------------------- fills and keys

/// In a transaction of its own, as a sequence's values are: what was used is never handed out again (PROTOCOLS 3.14).
Task<RowWriter::Fills> RowWriter::fill(std::size_t rows) {
    Fills fills;
    if (fills_.empty() || rows == 0) co_return fills;
    std::string sql = "SELECT ";
    for (std::size_t i = 0; i < fills_.size(); ++i) {
        const planner::InsertSelect::Target& target = plan_.targets[fills_[i]];
        sql += (i == 0 ? "CAST((" : ", CAST((") + target.fill + ") AS " + target.type_name + ")::pg_catalog.text";
    }
    sql += " FROM pg_catalog.generate_series(1, " + std::to_string(rows) + ")";
    auto result = co_await session_.query_service(session_.home(), std::move(sql));
    fills.rows = std::move(result.rows);
    PGM_CHECK(fills.rows.size() == rows, "the home shard fills in a row for each row");
    note_sequences(fills.rows.back());
    co_return fills;
}

/// In the order of the table's columns, as PostgreSQL takes defaults.
void RowWriter::note_sequences(const std::vector<std::optional<std::string>>& last) {
    const planner::Table* table = session_.environment().catalog->find_table(plan_.table);
    for (const planner::Column& column : table->columns) {
        const auto of_column = [&](std::size_t target) { return plan_.targets[target].name == column.name; };
        const auto found = std::find_if(fills_.begin(), fills_.end(), of_column);
        if (found == fills_.end() || !column.default_needs_home) continue;
        const auto& value = last[static_cast<std::size_t>(found - fills_.begin())];
        if (column.default_sequence.empty() || !value) session_.sequences().filled_any();
        else session_.sequences().filled(column.default_sequence, *value);
    }
}

bool RowWriter::key_is_source() const { return plan_.key < columns_.size(); }

/// The key as it was selected or filled in; `null` also where there is none.
std::string_view RowWriter::key_of(std::size_t row, const Fills& fills, bool& null) const {
    null = true;
    if (key_is_source()) {
        const std::size_t begin = row == 0 ? 0 : ends_[row - 1];
        std::vector<std::string_view> values;
        read_values(std::string_view(batch_).substr(begin, ends_[row] - begin), columns_.size(), values);
        null = values[plan_.key].data() == nullptr;
        return values[plan_.key];
    }
    const auto found = std::find(fills_.begin(), fills_.end(), plan_.key);
    if (found == fills_.end()) return {};
    const std::optional<std::string>& value = fills.rows[row][static_cast<std::size_t>(found - fills_.begin())];
    null = !value;
    return value ? std::string_view(*value) : std::string_view{};
}

/// PostgreSQL's own error, with the row, comes from a shard that gets the row.
ShardId RowWriter::shard_of_null() const {
    if (plan_.null_key_is_told) return session_.home();
    throw PgError(Error{.code = sqlstate::kNullValueNotAllowed,
                        .message = "shard key \"" + plan_.targets[plan_.key].name + "\" cannot be null",
                        .detail = "The key says on which shard the row belongs.",
                        .hint = "Give the row a key."});
}

Task<> RowWriter::choose_shards(const Fills& fills) {
    const auto map = session_.core().map();
    const bool source = key_is_source();
    const Oid type = source ? columns_[plan_.key].type : plan_.key_type;
    const bool same = shardmap::key_family(type) == shardmap::key_family(plan_.key_type) && (session_.utf8() || shardmap::key_family(type) != shardmap::KeyFamily::kText);
    const bool binary = source && columns_[plan_.key].binary;
    std::vector<std::size_t> unknown;
    std::vector<std::string_view> keys;
    for (std::size_t row = 0; row < ends_.size(); ++row) {
        bool null = false;
        const std::string_view key = key_of(row, fills, null);
        if (null) {
            shards_[row] = shard_of_null();
            continue;
        }
        std::optional<Bucket> bucket;
        if (same && binary) bucket = shardmap::bucket_of_binary(plan_.key_type, type, key, plan_.key_typmod);
        if (same && !binary) bucket = shardmap::bucket_of_text(plan_.key_type, key, plan_.key_typmod);
        if (bucket) {
            shards_[row] = map->owner(plan_.group, *bucket);
            continue;
        }
        unknown.push_back(row);
        keys.push_back(key);
    }
    if (unknown.empty()) co_return;
    if (binary) {
        throw PgError(Error{.code = SqlState{"22P03"},
                            .message = "incorrect binary data format for shard key \"" + plan_.targets[plan_.key].name + "\""});
    }
    const std::string type_name = source && type != kTextOid ? columns_[plan_.key].type_name : std::string();
    co_await ask_for_shards(unknown, keys, type_name);
}

/// The home shard makes the key's type of the value, and says the bucket.
Task<> RowWriter::ask_for_shards(const std::vector<std::size_t>& rows, const std::vector<std::string_view>& keys, const std::string& type_name) {
    std::string list;
    for (const std::string_view key : keys) list += (list.empty() ? "" : ",") + planner::quote_literal(key);
    const std::string given = type_name.empty() ? "k" : "CAST(k AS " + type_name + ")";
    const auto result = co_await session_.query_shard(
        session_.home(),
        "SELECT pg_catalog.hash_record_extended(ROW(CAST(" + given + " AS " + plan_.targets[plan_.key].type_name +
            ")), 8816678312871386365) & 65535 FROM pg_catalog.unnest(ARRAY[" + list + "]::pg_catalog.text[]) WITH ORDINALITY AS u (k, n) ORDER BY n",
        false);
    PGM_CHECK(result.rows.size() == rows.size(), "the home shard says a bucket for each key");
    const auto map = session_.core().map();
    for (std::size_t i = 0; i < rows.size(); ++i) {
        shards_[rows[i]] = map->owner(plan_.group, Bucket{read_bucket(result.rows[i].at(0).value_or(""))});
    }
}

}  // namespace pgmosaic::coordinator

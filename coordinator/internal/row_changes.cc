#include "coordinator/internal/row_changes.h"

#include <algorithm>
#include <charconv>

#include "coordinator/execute_insert_select.h"
#include "coordinator/internal/shard_statement.h"
#include "shardmap/hash.h"
#include "shardmap/key_types.h"

namespace pgmosaic::coordinator {

using planner::Placement;
using planner::quote_identifier;
using planner::WrittenTable;

namespace {

constexpr Oid kAsText = 25;

std::string temporary(const std::string& name) { return "pg_temp." + quote_identifier(name); }

std::string kept_name(const WrittenTable& plan) { return plan.rows + "_kept"; }

/// New versions of rows were made by the subtransaction of the statement, the old ones by the transaction around it.
constexpr std::string_view kIsNew = "t.xmin <> pg_catalog.pg_current_xact_id()::pg_catalog.xid";

std::string array_column(std::size_t i) { return "c" + std::to_string(i + 1); }

}  // namespace

RowChanges::RowChanges(Session& session, const Request& request, const WrittenTable& plan, Bench& bench)
    : session_(session), request_(request), plan_(plan), bench_(bench) {
    for (std::size_t i = 0; i < plan_.columns.size(); ++i) {
        if (plan_.columns[i].assigned) assigned_.push_back(values_.size());
        if (plan_.moves || plan_.columns[i].assigned) values_.push_back(i);
    }
}

// ---------------------------------------------------------------- on the workbench, before

std::string RowChanges::create_sql() const {
    std::string sql = "CREATE TEMPORARY TABLE " + temporary(plan_.name) + " (" + plan_.definition + ") ON COMMIT DROP;";
    if (plan_.pull_sql.empty()) return sql;
    std::string identity;
    for (const WrittenTable::Identity& part : plan_.identity) {
        identity += (identity.empty() ? "" : ", ") + quote_identifier(part.name) + " " + part.type_name;
    }
    if (plan_.conflicts) {
        return sql + "CREATE TEMPORARY TABLE " + temporary(plan_.rows) + " (" + identity + ", LIKE " + temporary(plan_.name) + ") ON COMMIT DROP;";
    }
    return sql + "CREATE TEMPORARY TABLE " + temporary(plan_.rows) + " (" + identity + ") INHERITS (" + temporary(plan_.name) + ") ON COMMIT DROP;";
}

/// Which rows there were: what is missing afterwards was deleted; what is not among them was inserted beside them.
std::string RowChanges::keep_sql() const {
    if (plan_.conflicts) {
        return "INSERT INTO " + temporary(plan_.name) + " (" + column_list() + ") SELECT " + column_list() + " FROM " + temporary(plan_.rows) + ";";
    }
    if (!plan_.deletes) return {};
    return "CREATE TEMPORARY TABLE " + temporary(kept_name(plan_)) + " ON COMMIT DROP AS SELECT " + identity_list("r") + " FROM ONLY " +
           temporary(plan_.rows) + " AS r;";
}

std::string RowChanges::identity_list(const std::string& alias) const {
    std::string list;
    for (const WrittenTable::Identity& part : plan_.identity) list += (list.empty() ? "" : ", ") + alias + "." + quote_identifier(part.name);
    return list;
}

std::string RowChanges::column_list() const {
    std::string list;
    for (const WrittenTable::Column& column : plan_.columns) list += (list.empty() ? "" : ", ") + quote_identifier(column.name);
    return list;
}

/// Of a row as it is (t) and as it was (r).
std::string RowChanges::same_key() const {
    std::string same;
    for (const std::string& name : plan_.key_names) {
        same += (same.empty() ? "r." : " AND r.") + quote_identifier(name) + " = t." + quote_identifier(name);
    }
    return same;
}

std::vector<ShardId> RowChanges::pull_shards() const {
    if (plan_.placement != Placement::kSharded) return {session_.home()};
    if (plan_.prune.empty()) return session_.core().map()->shard_ids();
    return session_.shards_of(planner::Scatter{.group = plan_.group, .key_type = plan_.key_type, .prune = plan_.prune}, request_);
}

/// One shard after the other: two statements that want rows of all shards wait for each other on the first of them, not in a circle.
Task<> RowChanges::pull() {
    if (plan_.pull_sql.empty()) co_return;
    const std::vector<ShardId> shards = pull_shards();
    const std::vector<Participant*> participants = co_await session_.use_shards(shards, true);
    const std::string table = temporary(plan_.rows);
    bench_.begin_copy(table + " (" + plan_.pulled_columns + ")");
    for (Participant* participant : participants) co_await pull_from(*participant);
    co_await bench_.end_copy(table);
}

Task<> RowChanges::pull_from(Participant& participant) {
    const std::string sql = plan_.pull_on(participant.shard());
    const ShardFormats formats{.visible = 0, .hidden = 1};
    put_statement(participant, session_.core(), request_, sql, formats);
    co_await participant.connection().write();
    ShardReply reply(participant);
    while (!reply.done()) {
        const bool any = reply.take([this](std::string_view body) { bench_.add_row(body); }, [] { return true; });
        if (any) co_await bench_.write_when_large();
        else co_await reply.fill();
    }
    if (reply.error()) throw_shard_error(session_, participant.shard(), *reply.error());
}

// ---------------------------------------------------------------- on the workbench, afterwards

bool RowChanges::is_binary(const WrittenTable::Column& column) const {
    if (array_type_of(column.type) == 0) return false;
    const bool key = plan_.key >= 0 && &column == &plan_.columns[static_cast<std::size_t>(plan_.key)];
    const auto family = shardmap::key_family(column.type);
    const bool text = family == shardmap::KeyFamily::kText || family == shardmap::KeyFamily::kBpchar;
    return !key || (family && (!text || session_.utf8()));
}

std::vector<bool> RowChanges::formats(bool with_values) const {
    std::vector<bool> binary(plan_.identity.size(), false);
    if (!with_values) return binary;
    for (const std::size_t column : values_) binary.push_back(is_binary(plan_.columns[column]));
    return binary;
}

Task<> RowChanges::read() {
    if (plan_.pull_sql.empty()) co_return;
    if (plan_.deletes) co_await read_deleted();
    if (plan_.updates) co_await read_updated();
}

Task<> RowChanges::read_deleted() {
    std::string same;
    for (const WrittenTable::Identity& part : plan_.identity) {
        same += (same.empty() ? "r." : " AND r.") + quote_identifier(part.name) + " = k." + quote_identifier(part.name);
    }
    bench_.put_query("SELECT " + identity_list("k") + " FROM " + temporary(kept_name(plan_)) + " AS k WHERE NOT EXISTS (SELECT FROM ONLY " +
                         temporary(plan_.rows) + " AS r WHERE " + same + ")",
                     formats(false));
    std::string body;
    for (bool more = co_await bench_.next_row(body); more; more = co_await bench_.next_row(body)) {
        note_bytes(body.size());
        read_values(body, plan_.identity.size(), fields_);
        ShardRows& part = deleted_[old_shard()];
        add_identity(part, plan_.identity.size());
    }
}

Task<> RowChanges::read_updated() {
    std::string values;
    for (const std::size_t column : values_) values += ", t." + quote_identifier(plan_.columns[column].name);
    std::string sql = "SELECT " + identity_list("t") + values + " FROM ONLY " + temporary(plan_.rows) + " AS t WHERE ";
    if (plan_.conflicts) {
        sql = "SELECT " + identity_list("r") + values + " FROM " + temporary(plan_.name) + " AS t JOIN " + temporary(plan_.rows) + " AS r ON " + same_key() + " WHERE ";
    }
    bench_.put_query(sql + std::string(kIsNew), formats(true));
    std::string body;
    for (bool more = co_await bench_.next_row(body); more; more = co_await bench_.next_row(body)) take_updated(body);
}

void RowChanges::take_updated(const std::string& body) {
    note_bytes(body.size());
    const std::size_t identity = plan_.identity.size();
    read_values(body, identity + values_.size(), fields_);
    const ShardId shard = old_shard();
    if (plan_.moves && new_shard() != shard) {
        add_identity(deleted_[shard], identity);
        std::string row;
        wire::put_int16(row, static_cast<std::int32_t>(values_.size()));
        for (std::size_t i = identity; i < fields_.size(); ++i) {
            wire::put_int32(row, fields_[i].data() == nullptr ? -1 : static_cast<std::int64_t>(fields_[i].size()));
            row += fields_[i];
        }
        moved_.push_back(std::move(row));
        return;
    }
    ShardRows& part = updated_[shard];
    const bool fresh = part.arrays.empty();
    add_identity(part, identity);
    for (const std::size_t i : assigned_) {
        const WrittenTable::Column& column = plan_.columns[values_[i]];
        if (fresh) part.arrays.emplace_back(is_binary(column) ? column.type : kAsText);
    }
    for (std::size_t i = 0; i < assigned_.size(); ++i) add_value(part.arrays[identity + i], identity + assigned_[i]);
}

void RowChanges::add_identity(ShardRows& part, std::size_t columns) const {
    if (part.arrays.empty()) {
        for (std::size_t i = 0; i < columns; ++i) part.arrays.emplace_back(kAsText);
    }
    for (std::size_t i = 0; i < columns; ++i) add_value(part.arrays[i], i);
}

void RowChanges::add_value(ColumnArray& array, std::size_t number) const {
    if (fields_[number].data() == nullptr) array.add_null();
    else array.add(fields_[number]);
}

void RowChanges::note_bytes(std::size_t bytes) {
    bytes_ += bytes;
    if (bytes_ <= session_.core().cluster().options().memory_bytes_max) return;
    bench_.connection().broken = true;
    throw PgError(Error{.code = sqlstate::kConfigurationLimitExceeded,
                        .message = "the rows that this statement changes need more memory than limits.memory allows",
                        .detail = "Each shard changes its rows in one statement.",
                        .hint = "Change them in parts, or raise limits.memory."});
}

/// The copies of a reference table are told as one.
ShardId RowChanges::old_shard() const {
    if (reference()) return session_.home();
    ShardId shard;
    const std::string_view text = fields_[0];
    std::from_chars(text.data(), text.data() + text.size(), shard.value);
    return shard;
}

/// nullopt: only a server can say where the new key belongs.
std::optional<ShardId> RowChanges::new_shard() const {
    const std::string_view key = fields_[plan_.identity.size() + static_cast<std::size_t>(plan_.key)];
    if (key.data() == nullptr) return std::nullopt;
    std::optional<Bucket> bucket;
    if (is_binary(plan_.columns[static_cast<std::size_t>(plan_.key)])) {
        bucket = shardmap::bucket_of_binary(plan_.key_type, plan_.key_type, key, plan_.key_typmod);
    } else if (session_.utf8()) {
        bucket = shardmap::bucket_of_text(plan_.key_type, key, plan_.key_typmod);
    }
    if (!bucket) return std::nullopt;
    return session_.core().map()->owner(plan_.group, *bucket);
}

// ---------------------------------------------------------------- on the shards

/// ROWS FROM (unnest($1), …) AS pgm (c1, …)
std::string RowChanges::from_arrays(std::size_t columns) const {
    std::string arrays, names;
    for (std::size_t i = 0; i < columns; ++i) {
        arrays += (i == 0 ? "pg_catalog.unnest($" : ", pg_catalog.unnest($") + std::to_string(i + 1) + ")";
        names += (i == 0 ? "" : ", ") + array_column(i);
    }
    return "ROWS FROM (" + arrays + ") AS pgm (" + names + ")";
}

std::string RowChanges::matches() const {
    if (!reference()) return "pgm_t.tableoid = CAST(pgm.c2 AS pg_catalog.oid) AND pgm_t.ctid = CAST(pgm.c3 AS pg_catalog.tid)";
    std::string text;
    for (std::size_t i = 0; i < plan_.identity.size(); ++i) {
        const WrittenTable::Identity& part = plan_.identity[i];
        text += (i == 0 ? "pgm_t." : " AND pgm_t.") + quote_identifier(part.column) + " = CAST(pgm." + array_column(i) + " AS " + part.type_name + ")";
    }
    return text;
}

Task<std::uint64_t> RowChanges::run(Parts& parts, std::string sql, bool exact) {
    if (reference() && !parts.empty()) {
        for (ShardId shard : session_.other_shards()) parts[shard] = parts[session_.home()];
    }
    std::vector<ShardReply> replies;
    replies.reserve(parts.size());
    for (auto& [shard, part] : parts) {
        Participant* participant = co_await session_.use_shard(shard, true);
        backend::Connection& connection = participant->connection();
        session_.note_state(request_.statement, connection);
        std::vector<Oid> types(plan_.identity.size(), kTextArrayOid);
        for (std::size_t i = 0; types.size() < part.arrays.size(); ++i) {
            const WrittenTable::Column& column = plan_.columns[values_[assigned_[i]]];
            types.push_back(is_binary(column) ? array_type_of(column.type) : kTextArrayOid);
        }
        wire::write_parse(connection.out(), "", sql, types);
        connection.unnamed_statement = 0;
        {
            wire::FrameWriter bind(connection.out(), 'B');
            bind.cstring("").cstring("").int16(1).int16(1).int16(static_cast<std::int32_t>(part.arrays.size()));
            for (const ColumnArray& array : part.arrays) array.write(connection.out());
            bind.int16(0);
        }
        wire::write_execute(connection.out(), "", 0);
        wire::write_sync(connection.out());
        replies.emplace_back(*participant);
        co_await connection.write();
    }
    std::uint64_t rows = 0;
    std::uint64_t wanted = 0;
    for (ShardReply& reply : replies) {
        co_await reply.skip_to_end();
        const bool counts = !reference() || reply.participant().shard() == session_.home();
        if (counts) rows += wire::tag_rows(reply.tag());
    }
    for (ShardReply& reply : replies) {
        if (!reply.error()) {
            for (const std::string& notice : reply.notices) session_.client().out() += notice;
            continue;
        }
        Error error = *reply.error();
        error.position = 0;
        throw_shard_error(session_, reply.participant().shard(), std::move(error));
    }
    for (const auto& [shard, part] : parts) {
        if (!reference() || shard == session_.home()) wanted += part.arrays.front().size();
    }
    if (exact && rows != wanted) {
        throw PgError(Error{.code = sqlstate::kInternalError,
                            .message = "rows of " + plan_.qualified + " that were locked are not there",
                            .detail = std::to_string(rows) + " of " + std::to_string(wanted) + " were found."});
    }
    co_return rows;
}

/// Cascades of the same statement may have been there first.
Task<> RowChanges::remove() {
    if (deleted_.empty()) co_return;
    if (!moved_.empty()) co_await check_no_references(session_, plan_.table, plan_.columns[static_cast<std::size_t>(plan_.key)].name);
    std::string sql = "DELETE FROM " + plan_.qualified + " AS pgm_t USING " + from_arrays(plan_.identity.size()) + " WHERE " + matches();
    const std::uint64_t gone = co_await run(deleted_, std::move(sql), false);
    rows_ += gone - std::min<std::uint64_t>(gone, moved_.size());
}

Task<> RowChanges::update() {
    if (!updated_.empty()) {
        std::string assignments;
        for (std::size_t i = 0; i < assigned_.size(); ++i) {
            const WrittenTable::Column& column = plan_.columns[values_[assigned_[i]]];
            const std::string value = "pgm." + array_column(plan_.identity.size() + i);
            assignments += (i == 0 ? "" : ", ") + quote_identifier(column.name) + " = ";
            assignments += is_binary(column) ? value : "CAST(" + value + " AS " + column.type_name + ")";
        }
        std::string sql = "UPDATE " + plan_.qualified + " AS pgm_t SET " + assignments + " FROM " + from_arrays(plan_.identity.size() + assigned_.size()) +
                          " WHERE " + matches();
        const bool exact = !plan_.ordinary_triggers && !plan_.deletes;
        rows_ += co_await run(updated_, std::move(sql), exact);
    }
    if (moved_.empty()) co_return;
    const planner::Statement none;
    const planner::InsertSelect plan = insert_plan();
    const Request own{none, request_.sql, request_.literals};
    RowWriter writer(session_, own, plan, source_columns());
    for (const std::string& row : moved_) {
        writer.add(row);
        if (writer.full()) co_await writer.flush();
    }
    co_await writer.finish();
    rows_ += writer.rows();
}

// ---------------------------------------------------------------- rows that are new

planner::InsertSelect RowChanges::insert_plan() const {
    planner::InsertSelect plan{.table = plan_.table, .placement = plan_.placement, .group = plan_.group, .key_type = plan_.key_type,
                               .key_typmod = plan_.key_typmod};
    plan.key = plan_.key < 0 ? 0 : static_cast<std::size_t>(plan_.key);
    plan.null_key_is_told = plan_.null_key_is_told;
    plan.head = "INSERT INTO " + plan_.qualified;
    plan.overriding = "OVERRIDING SYSTEM VALUE";
    std::string names;
    for (const WrittenTable::Column& column : plan_.columns) {
        plan.targets.push_back({.name = column.name, .type_name = column.type_name, .type = column.type});
        names += (names.empty() ? "" : ", ") + quote_identifier(column.name);
        if (reference()) plan.copied.push_back(column.name);
    }
    if (!reference()) return plan;
    plan.tail = "RETURNING " + names;
    plan.copy_head = "INSERT INTO " + plan_.qualified + " (" + names + ") OVERRIDING SYSTEM VALUE";
    return plan;
}

std::vector<SourceColumn> RowChanges::source_columns() const {
    std::vector<SourceColumn> columns;
    for (const WrittenTable::Column& column : plan_.columns) {
        columns.push_back({.type = column.type, .type_name = column.type_name, .binary = is_binary(column)});
    }
    return columns;
}

Task<> RowChanges::insert() {
    if (!plan_.inserts) co_return;
    std::vector<bool> binary;
    for (const WrittenTable::Column& column : plan_.columns) binary.push_back(is_binary(column));
    std::string sql = "SELECT " + column_list() + " FROM ONLY " + temporary(plan_.name) + " AS t";
    if (plan_.conflicts) {
        sql += " WHERE " + std::string(kIsNew) + " AND NOT EXISTS (SELECT FROM " + temporary(plan_.rows) + " AS r WHERE " + same_key() + ")";
    }
    bench_.put_query(sql, binary);
    const planner::Statement none;
    const planner::InsertSelect plan = insert_plan();
    const Request own{none, request_.sql, request_.literals};
    RowWriter writer(session_, own, plan, source_columns());
    std::string body;
    bool any = false;
    for (bool more = co_await bench_.next_row(body); more; more = co_await bench_.next_row(body)) {
        any = true;
        writer.add(body);
        if (writer.full()) co_await writer.flush();
    }
    if (any) co_await writer.finish();
    rows_ += writer.rows();
}

}  // namespace pgmosaic::coordinator

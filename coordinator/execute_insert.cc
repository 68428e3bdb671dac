#include <map>

#include "coordinator/execute.h"
#include "coordinator/execute_insert_select.h"
#include "coordinator/internal/fixed_time.h"
#include "coordinator/internal/shard_statement.h"
#include "planner/fixed_time.h"
#include "shardmap/hash.h"

namespace pgmosaic::coordinator {

namespace {

/// What must be evaluated once and in one place: sequences, volatile defaults of the key. In a transaction of its own, whose
/// commit the home shard's standby has acknowledged: a value that was used is never handed out again (PROTOCOLS 3.14).
struct Fills {
    std::vector<std::string> values;
    std::vector<char> nulls;
};

void note_sequences(Session& session, const planner::InsertRows& insert, const Fills& fills) {
    const planner::Table* table = session.environment().catalog->find_table(insert.table);
    const auto note = [&](std::size_t fill) {
        const auto column = static_cast<std::size_t>(insert.fill_columns[fill]);
        session.sequences().filled(table->columns.at(column).default_sequence, fills.values[fill]);
    };
    bool any = false, of_columns = false;
    for (std::size_t i = 0; i < fills.values.size(); ++i) {
        any = any || insert.fill_columns[i] == planner::InsertRows::kMovesAny;
        of_columns = of_columns || insert.fill_columns[i] >= 0;
        if (insert.fill_columns[i] >= 0) note(i);
    }
    if (of_columns) note(insert.last_fill);
    if (any) session.sequences().filled_any();
}

Task<Fills> evaluate(Session& session, const planner::InsertRows& insert) {
    Fills fills;
    if (insert.fills == 0) co_return fills;
    const auto result = co_await session.query_service(session.home(), insert.fill_sql);
    // One row of many values, or many rows of one where they are more than a target list holds.
    for (const auto& row : result.rows) {
        for (const auto& value : row) {
            fills.values.push_back(value.value_or(""));
            fills.nulls.push_back(value ? 0 : 1);
        }
    }
    note_sequences(session, insert, fills);
    co_return fills;
}

/// PostgreSQL's own error, with the row in its DETAIL, comes from a shard that gets the row: any.
ShardId shard_of_null_key(const Session& session, const planner::InsertRows& insert) {
    const planner::Table* table = session.environment().catalog->find_table(insert.table);
    const bool told = table != nullptr && table->key >= 0 && table->columns[static_cast<std::size_t>(table->key)].not_null && !table->has_row_triggers;
    if (told) return session.home();
    throw PgError(Error{.code = sqlstate::kNullValueNotAllowed,
                        .message = "the shard key cannot be null",
                        .hint = "Give the row a key, or make the key column NOT NULL with a default."});
}

/// A key that is not written in the one form that we hash ourselves: the home shard reads it and writes it out.
Task<ShardId> shard_of_odd_value(Session& session, const planner::InsertRows& insert, std::string text) {
    const auto type = co_await session.query_service(session.home(), "SELECT pg_catalog.format_type(" + std::to_string(insert.key_type) + ", NULL)");
    const auto canonical = co_await session.query_service(
        session.home(), "SELECT CAST(" + planner::quote_literal(text) + " AS " + type.scalar() + ")::text");
    const auto bucket = shardmap::bucket_of_text(insert.key_type, canonical.scalar());
    if (!bucket) {
        throw PgError(refusal("invalid value for shard key: \"" + text + "\"", "The value's bucket cannot be computed.",
                              "Write the value in the type's standard form."));
    }
    co_return session.core().map()->owner(insert.group, *bucket);
}

std::optional<std::string> text_of(const planner::ValueRef& value, const Request& request) {
    if (value.from == planner::ValueRef::From::kParameter) {
        const auto& [data, length] = request.bind->values.at(value.index - 1);
        if (length < 0) return std::nullopt;
        if (request.bind->parameter_format(value.index - 1) == wire::Format::kBinary) {
            throw PgError(refusal("the shard key's parameter has a binary format of another type",
                                  "The parameter's type differs from the key column's.", "Cast the parameter to the key's type."));
        }
        return std::string(data, static_cast<std::size_t>(length));
    }
    const planner::Literal& literal =
        value.from == planner::ValueRef::From::kLiteral ? request.literals[value.index] : value.constant;
    if (literal.kind == planner::Literal::Kind::kNull) return std::nullopt;
    return (literal.negative ? "-" : "") + literal.value;
}

bool is_null(const planner::ValueRef& value, const Request& request) {
    if (value.from == planner::ValueRef::From::kParameter) return request.bind->values.at(value.index - 1).second < 0;
    return !text_of(value, request);
}

/// The text differs with the rows that a shard gets: a server session need not remember it.
PreparedStatement unnamed_copy(const PreparedStatement* prepared) {
    PreparedStatement copy;
    if (prepared == nullptr) return copy;
    copy.types = prepared->types;
    copy.description = prepared->description;
    return copy;
}

Task<ShardId> shard_of_row(Session& session, const Request& request, const planner::InsertRows& insert, std::size_t row, const Fills& fills) {
    const planner::InsertRows::Key& key = insert.keys.at(row);
    if (key.from_fill) {
        if (fills.nulls.at(key.fill) != 0) co_return shard_of_null_key(session, insert);
        const std::string& text = fills.values.at(key.fill);
        const auto bucket = shardmap::bucket_of_text(insert.key_type, text);
        if (bucket) co_return session.core().map()->owner(insert.group, *bucket);
        co_return co_await shard_of_odd_value(session, insert, text);
    }
    if (is_null(key.value, request)) co_return shard_of_null_key(session, insert);
    const auto shard = session.shard_of_value(insert.group, insert.key_type, key.value, request);
    if (shard) co_return *shard;
    co_return co_await shard_of_odd_value(session, insert, text_of(key.value, request).value_or(""));
}

using Parts = std::map<ShardId, std::vector<std::size_t>>;

/// Rows that RETURNING gave, in the order of VALUES where every row gave one.
void write_returned(Session& session, const Parts& parts, std::size_t rows, std::vector<std::vector<std::string>>& returned) {
    std::vector<std::string> ordered(rows);
    std::size_t part_number = 0;
    bool complete = true;
    for (const auto& [shard, numbers] : parts) complete = complete && returned[part_number++].size() == numbers.size();
    part_number = 0;
    for (const auto& [shard, numbers] : parts) {
        for (std::size_t i = 0; i < returned[part_number].size(); ++i) {
            if (complete) ordered[numbers[i]] = std::move(returned[part_number][i]);
            else wire::FrameWriter(session.answer(), 'D').bytes(returned[part_number][i]);
        }
        ++part_number;
    }
    for (const std::string& body : ordered) {
        if (!body.empty()) wire::FrameWriter(session.answer(), 'D').bytes(body);
    }
}

Task<std::uint64_t> insert_parts(Session& session, const Request& request, const planner::InsertRows& insert, const Parts& parts, const Fills& fills) {
    const bool returning = request.statement.returns_rows;
    std::vector<ShardReply> replies;
    const std::unique_ptr<bool[]> nulls(new bool[fills.nulls.size() + 1]);
    for (std::size_t i = 0; i < fills.nulls.size(); ++i) nulls[i] = fills.nulls[i] != 0;
    const PreparedStatement once = unnamed_copy(request.prepared);
    const Request own{request.statement, request.sql, request.literals, request.bind,
                      request.prepared == nullptr ? nullptr : &once};
    std::vector<std::string> texts;
    for (const auto& [shard, rows] : parts) texts.push_back(planner::render_insert(insert, rows, fills.values, {nulls.get(), fills.nulls.size()}));
    if (planner::has_time_places(texts.front())) co_await put_times(session, texts);
    auto text = texts.begin();
    for (const auto& [shard, rows] : parts) {
        Participant* participant = co_await session.use_shard(shard, true);
        const std::string sql = std::move(*text++);
        put_statement(*participant, session.core(), own, sql, {});
        co_await participant->connection().write();
        replies.emplace_back(*participant);
    }
    std::vector<std::vector<std::string>> returned(replies.size());
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < replies.size(); ++i) {
        co_await replies[i].collect(returned[i]);
        count += wire::tag_rows(replies[i].tag());
    }
    for (ShardReply& reply : replies) {
        if (reply.error()) throw_shard_error(session, reply.participant().shard(), *reply.error());
    }
    if (returning) {
        if (request.simple()) wire::write_row_description(session.answer(), replies.front().fields());
        write_returned(session, parts, insert.rows, returned);
    }
    co_return count;
}

}  // namespace

Task<> execute_insert(Session& session, const Request& request) {
    const planner::PlanDetails& details = planner::details_of(request.statement);
    if (details.selects) {
        co_await execute_insert_select(session, request, details.rows);
        co_return;
    }
    const planner::InsertRows& insert = *request.statement.insert;
    const Fills fills = co_await evaluate(session, insert);
    Parts parts;
    for (std::size_t row = 0; row < insert.rows; ++row) {
        const ShardId shard = co_await shard_of_row(session, request, insert, row, fills);
        parts[shard].push_back(row);
    }
    // One shard's rows, too: commit() is where the outcome of a lost COMMIT is found.
    const bool own = session.ensure_transaction();
    std::uint64_t count = 0;
    try {
        count = co_await insert_parts(session, request, insert, parts, fills);
    } catch (const backend::ConnectionLost&) {
        session.on_connection_lost(false, false);
    }
    session.release_statement_leases();
    if (own) co_await session.commit();
    session.complete(request, "INSERT 0 " + std::to_string(count));
}

}  // namespace pgmosaic::coordinator

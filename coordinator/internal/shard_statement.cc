#include "coordinator/internal/shard_statement.h"

#include <utility>

namespace pgmosaic::coordinator {

namespace {

/// What one server session remembers for us.
constexpr std::size_t kStatementsMax = 500;

std::vector<Oid> parameter_types(const Request& request) {
    if (request.prepared == nullptr) return {};
    std::vector<Oid> types = request.prepared->description ? request.prepared->description->parameters : request.prepared->types;
    for (Oid& type : types) {
        if (type >= kFirstUserOid) type = 0;
    }
    return types;
}

void put_result_formats(wire::FrameWriter& frame, const Request& request, const ShardFormats& formats) {
    if (formats.hidden == 0 && formats.leading_text == 0) {
        if (request.bind != nullptr) frame.bytes(request.bind->result_formats_raw);
        else frame.int16(0);
        return;
    }
    frame.int16(static_cast<std::int32_t>(formats.leading_text + formats.visible + formats.hidden));
    for (std::size_t i = 0; i < formats.leading_text; ++i) frame.int16(0);
    for (std::size_t i = 0; i < formats.visible; ++i) {
        frame.int16(request.bind != nullptr ? static_cast<std::int32_t>(request.bind->result_format(i)) : 0);
    }
    for (std::size_t i = 0; i < formats.hidden; ++i) frame.int16(1);
}

}  // namespace

void put_unnamed_parse(Participant& participant, const Request& request, std::string_view sql) {
    wire::write_parse(participant.connection().out(), "", sql, parameter_types(request));
    participant.connection().unnamed_statement = 0;
}

std::string put_parse(Participant& participant, Core& core, const Request& request, std::string_view sql, std::uint64_t environment) {
    backend::Connection& connection = participant.connection();
    const std::vector<Oid> types = parameter_types(request);
    // What has no parameters and comes again is worth a name: its next Parse is spared, and one round trip with it.
    const bool no_values = types.empty() && (request.bind == nullptr || request.bind->values.empty());
    const bool comes_again = environment != 0 && no_values && core.seen_before(sql);
    const bool named = comes_again || (request.prepared != nullptr && request.prepared->named);
    if (!named) {
        wire::write_parse(connection.out(), "", sql, types);
        connection.unnamed_statement = 0;
        return {};
    }
    std::string key(sql);
    for (Oid type : types) key += '\0' + std::to_string(type);
    // A statement that the client has not named must not fail because a table has another column now.
    if (comes_again) key += '\0' + std::string("environment ") + std::to_string(environment);
    const std::uint64_t id = core.statement_id(key);
    const auto known = connection.prepared.find(id);
    if (known != connection.prepared.end()) return known->second;
    if (connection.prepared.size() >= kStatementsMax) {
        for (const auto& [other, its_name] : connection.prepared) wire::write_close(connection.out(), 'S', its_name);
        connection.prepared.clear();
    }
    std::string name = "pgm" + std::to_string(id);
    wire::write_parse(connection.out(), name, sql, types);
    connection.prepared.emplace(id, name);
    return name;
}

void put_bind(Participant& participant, const Request& request, std::string_view name, const ShardFormats& formats) {
    wire::FrameWriter frame(participant.connection().out(), 'B');
    frame.cstring("").cstring(name);
    if (request.bind != nullptr) frame.bytes(request.bind->parameters);
    else frame.int16(0).int16(0);
    put_result_formats(frame, request, formats);
}

void put_execution(Participant& participant) {
    std::string& out = participant.connection().out();
    wire::write_describe(out, 'P', "");
    wire::write_execute(out, "", 0);
    wire::write_sync(out);
}

void put_statement(Participant& participant, Core& core, const Request& request, std::string_view sql, const ShardFormats& formats) {
    const std::string name = put_parse(participant, core, request, sql);
    put_bind(participant, request, name, formats);
    put_execution(participant);
}

ShardReply::ShardReply(ShardReply&& other) noexcept
    : notices(std::move(other.notices)), participant_(std::exchange(other.participant_, nullptr)), fields_(std::move(other.fields_)),
      tag_(std::move(other.tag_)), error_(std::move(other.error_)), want_(other.want_), parsed_(other.parsed_), bound_(other.bound_),
      described_(other.described_), done_(other.done_) {}

ShardReply::~ShardReply() {
    if (participant_ != nullptr && !done_) participant_->connection().broken = true;
}

bool ShardReply::take_other(const wire::Frame& frame) {
    participant_->connection().note(frame);
    if (participant_->ready_to_skip > 0) {
        if (frame.type == 'E' && !error_) error_ = wire::read_error(frame.body);
        if (frame.type == 'Z') --participant_->ready_to_skip;
        return true;
    }
    switch (frame.type) {
        case 'T':
            fields_ = wire::read_row_description(frame.body);
            described_ = true;
            break;
        case 'n': described_ = true; break;
        case '1': ++parsed_; break;
        case '2': ++bound_; break;
        case 'C': tag_ = wire::Reader(frame.body).cstring(); break;
        case 'N':
            if (!backend::is_end_of_server(frame.body)) notices.emplace_back(frame.whole);
            break;
        case 'E':
            if (!error_) error_ = wire::read_error(frame.body);
            described_ = true;
            break;
        case 'Z': done_ = true; break;
        default: break;
    }
    return true;
}

Task<> ShardReply::until_bound(int parsed, int bound) {
    const auto waits = [this, parsed, bound] {
        return !error_ && (participant_->ready_to_skip > 0 || parsed_ < parsed || bound_ < bound);
    };
    while (waits()) {
        take([](std::string_view) {}, waits);
        if (waits()) co_await fill();
    }
}

Task<> ShardReply::until_described() {
    while (!described_ && !done_) {
        take([](std::string_view) {}, [this] { return !described_; });
        if (!described_ && !done_) co_await fill();
    }
}

Task<> ShardReply::skip_to_end() {
    while (!done_) {
        take([](std::string_view) {}, [] { return true; });
        if (!done_) co_await fill();
    }
}

void ShardReply::restart() {
    notices.clear();
    fields_.clear();
    tag_.clear();
    error_.reset();
    parsed_ = bound_ = 0;
    described_ = done_ = false;
}

Task<> ShardReply::collect(std::vector<std::string>& rows) {
    while (!done_) {
        take([&rows](std::string_view body) { rows.emplace_back(body); }, [] { return true; });
        if (!done_) co_await fill();
    }
}

void throw_shard_error(const Session& session, ShardId shard, Error error) {
    const std::string where = "shard " + session.shard_name(shard);
    error.context = error.context.empty() ? where : error.context + "\n" + where;
    throw PgError(std::move(error));
}

Task<> run_on_shards(Session& session, const std::vector<ShardId>& shards, std::string sql, bool writes) {
    const std::vector<Participant*> participants = co_await session.use_shards(shards, writes);
    for (Participant* participant : participants) {
        wire::write_query(participant->connection().out(), sql);
        co_await participant->connection().write();
    }
    std::optional<std::pair<ShardId, Error>> failure;
    for (Participant* participant : participants) {
        ShardReply reply(*participant);
        co_await reply.skip_to_end();
        if (reply.error() && !failure) failure = {participant->shard(), *reply.error()};
    }
    if (failure) throw_shard_error(session, failure->first, failure->second);
}

std::string take_values(std::string_view body, std::size_t count, std::string& rest) {
    wire::Reader reader(body);
    const auto columns = static_cast<std::size_t>(reader.int16());
    std::string item = "(";
    for (std::size_t i = 0; i < count; ++i) {
        const std::int32_t length = reader.int32();
        if (i > 0) item += ',';
        item += length < 0 ? "NULL" : planner::quote_literal(reader.bytes(static_cast<std::size_t>(length)));
    }
    rest.clear();
    wire::put_int16(rest, static_cast<std::int32_t>(columns - count));
    rest += reader.rest();
    return item + ")";
}

}  // namespace pgmosaic::coordinator

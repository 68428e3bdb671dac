#include "coordinator/internal/shard_statement.h"

#include "base/task_group.h"

namespace pgmosaic::coordinator {

namespace {


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

void put_statement(Participant& participant, Core& core, const Request& request, std::string_view sql, const ShardFormats& formats) {
    backend::Connection& connection = participant.connection();
    const std::vector<Oid> types = parameter_types(request);
    std::string name;
    if (request.prepared != nullptr && request.prepared->named) {
        std::string key(sql);
        for (Oid type : types) key += '\0' + std::to_string(type);
        const std::uint64_t id = core.statement_id(key);
        const auto known = connection.prepared.find(id);
        name = known != connection.prepared.end() ? known->second : "pgm" + std::to_string(id);
        if (known == connection.prepared.end()) {
            wire::write_parse(connection.out(), name, sql, types);
            connection.prepared.emplace(id, name);
        }
    } else {
        wire::write_parse(connection.out(), "", sql, types);
        connection.unnamed_statement = 0;
    }
    {
        wire::FrameWriter frame(connection.out(), 'B');
        frame.cstring("").cstring(name);
        if (request.bind != nullptr) frame.bytes(request.bind->parameters);
        else frame.int16(0).int16(0);
        put_result_formats(frame, request, formats);
    }
    wire::write_describe(connection.out(), 'P', "");
    wire::write_execute(connection.out(), "", 0);
    wire::write_sync(connection.out());
}

bool ShardReply::take_other(const wire::Frame& frame) {
    participant_.connection().note(frame);
    if (participant_.ready_to_skip > 0) {
        if (frame.type == 'E' && !error_) error_ = wire::read_error(frame.body);
        if (frame.type == 'Z') --participant_.ready_to_skip;
        return true;
    }
    switch (frame.type) {
        case 'T':
            fields_ = wire::read_row_description(frame.body);
            described_ = true;
            break;
        case 'n': described_ = true; break;
        case 'C': tag_ = wire::Reader(frame.body).cstring(); break;
        case 'N': notices.emplace_back(frame.whole); break;
        case 'E':
            if (!error_) error_ = wire::read_error(frame.body);
            described_ = true;
            break;
        case 'Z': done_ = true; break;
        default: break;
    }
    return true;
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

}  // namespace pgmosaic::coordinator

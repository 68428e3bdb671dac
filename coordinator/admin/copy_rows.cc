#include "coordinator/admin/copy_rows.h"

namespace pgmosaic::coordinator {

namespace {

constexpr std::size_t kBatchBytes = 65536;

/// Reads up to the first message of one of these kinds; an ErrorResponse on the way is kept.
Task<char> read_until(backend::Connection& connection, std::string_view kinds, std::optional<Error>& failure, std::string* tag) {
    while (true) {
        const wire::Frame frame = co_await connection.next();
        const char type = frame.type;
        if (type == 'E' && !failure) failure = wire::read_error(frame.body);
        if (type == 'C' && tag != nullptr) *tag = std::string(wire::Reader(frame.body).cstring());
        connection.consume(frame);
        if (kinds.find(type) != std::string_view::npos) co_return type;
    }
}

/// Rows from one server to the other, until the source has no more or has failed.
Task<> relay_rows(backend::Connection& source, backend::Connection& target, std::optional<Error>& failure, std::string& tag) {
    while (true) {
        const wire::Frame frame = co_await source.next();
        const char type = frame.type;
        if (type == 'd') target.out() += frame.whole;
        if (type == 'E') failure = wire::read_error(frame.body);
        if (type == 'C') tag = std::string(wire::Reader(frame.body).cstring());
        source.consume(frame);
        if (type == 'Z') co_return;
        if (target.out().size() >= kBatchBytes) co_await target.write();
    }
}

}  // namespace

Task<std::uint64_t> copy_rows(Session& session, ShardId from, std::string copy_out, ShardId to, std::string copy_in) {
    backend::Connection& source = session.transaction().find(from)->connection();
    backend::Connection& target = session.transaction().find(to)->connection();
    std::optional<Error> source_failure;
    std::optional<Error> target_failure;
    std::string source_tag;
    std::string target_tag;

    wire::write_query(target.out(), copy_in);
    co_await target.write();
    const char begun = co_await read_until(target, "GZ", target_failure, nullptr);
    if (begun == 'Z') throw PgError(*target_failure);
    wire::write_query(source.out(), copy_out);
    co_await source.write();
    co_await relay_rows(source, target, source_failure, source_tag);
    if (source_failure) {
        wire::FrameWriter(target.out(), 'f').cstring("the source of the rows failed");
    } else {
        wire::write_empty(target.out(), 'c');
    }
    co_await target.write();
    co_await read_until(target, "Z", target_failure, &target_tag);
    if (source_failure) throw PgError(*source_failure);
    if (target_failure) throw PgError(*target_failure);

    const std::uint64_t rows = wire::tag_rows(source_tag);
    if (rows != wire::tag_rows(target_tag)) {
        throw PgError(Error{.message = "rows were lost between two shards", .detail = source_tag + " became " + target_tag + "."});
    }
    co_return rows;
}

}  // namespace pgmosaic::coordinator

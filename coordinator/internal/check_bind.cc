#include "coordinator/internal/check_bind.h"

namespace pgmosaic::coordinator {

Task<> check_bind(Session& session, const Portal& portal) {
    const bool inside = session.transaction().open();
    Participant* participant = co_await session.use_shard(session.home(), false);
    backend::Connection& connection = participant->connection();
    int answers = std::exchange(participant->ready_to_skip, 0) + 1;
    wire::write_parse(connection.out(), "", portal.statement->sql, portal.statement->types);
    wire::FrameWriter(connection.out(), 'B').cstring("").cstring("").bytes(portal.bind.tail);
    wire::write_sync(connection.out());
    connection.unnamed_statement = 0;
    co_await connection.write();
    std::optional<Error> failure;
    while (answers > 0) {
        const wire::Frame frame = co_await connection.next();
        if (frame.type == 'E' && !failure) failure = wire::read_error(frame.body);
        if (frame.type == 'Z') --answers;
        connection.consume(frame);
    }
    if (!inside) session.release_statement_leases();
    if (failure) throw PgError(*failure);
}

}  // namespace pgmosaic::coordinator

#include "coordinator/internal/function_call.h"

#include <algorithm>
#include <array>

#include "coordinator/session.h"

namespace pgmosaic::coordinator {

namespace {

/// lo_*, loread and lowrite of pg_proc.dat, PostgreSQL 15.
constexpr std::array<Oid, 20> kLargeObjectFunctions{715, 764, 765,  767,  952,  953,  954,  955,  956,  957,
                                                     958, 964, 1004, 3170, 3171, 3172, 3457, 3458, 3459, 3460};

}  // namespace

Task<> call_function(Session& session, std::string_view body) {
    if (session.transaction().failed()) {
        throw PgError(Error{.code = sqlstate::kInFailedSqlTransaction,
                            .message = "current transaction is aborted, commands ignored until end of transaction block"});
    }
    const auto function = static_cast<Oid>(wire::Reader(body).int32());
    if (std::find(kLargeObjectFunctions.begin(), kLargeObjectFunctions.end(), function) == kLargeObjectFunctions.end()) {
        throw PgError(refusal("function call messages are not supported, but for large objects",
                              "The function would see the rows of one shard only.", "Call the function in a SELECT."));
    }
    Participant* participant = co_await session.use_shard(session.home(), true);
    Relay& relay = session.relay();
    session.start_relay(*participant);
    wire::FrameWriter(participant->connection().out(), 'F').bytes(body);
    relay.expect({.kind = Expect::Kind::kQuery});
    co_await relay.drain(participant->connection(), session.client());
    const bool failed = relay.failed();
    session.release_statement_leases();
    if (failed) throw StatementFailed{};
}

}  // namespace pgmosaic::coordinator

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "coordinator/internal/lost_errors.h"
#include "coordinator/session.h"

/// What becomes of a statement whose server was lost: repeated, finished by what its token says, or told as it is.
namespace pgmosaic::coordinator {

namespace {

/// A statement that brings its server down must not do so for ever.
constexpr int kAttemptsMax = 3;

/// The name of the token's statement on a server session, beside `pgm1`, `pgm2` …
struct TokenStatement {
    std::uint64_t id;
    const char* name;
    const char* sql;
};
const TokenStatement kPlainToken{0, "pgm0", kTokenStatement};
const TokenStatement kWaryToken{~std::uint64_t{0}, "pgm0w", kWaryTokenStatement};
constexpr Oid kTextType = 25;

}  // namespace

Error server_lost() {
    return Error{.code = sqlstate::kSerializationFailure,
                 .message = "the server of the shard was lost; the transaction is rolled back",
                 .hint = "Run the transaction again."};
}

Error statement_unknown() {
    return Error{.code = sqlstate::kTransactionResolutionUnknown,
                 .message = "the outcome of the statement is not known",
                 .detail = "The connection to the shard was lost after the statement was sent.",
                 .hint = "Look for the effect of the statement before you run it again."};
}

Error answer_lost() {
    return Error{.code = sqlstate::kTransactionResolutionUnknown,
                 .message = "the statement is committed, but the server's answer was lost",
                 .detail = "The connection to the shard was lost while the statement was being committed.",
                 .hint = "Do not run the statement again; look at its effect."};
}

Error session_state_lost() {
    return Error{.code = sqlstate::kAdminShutdown,
                 .message = "the server that held this session's temporary tables, locks or channels was lost",
                 .hint = "Connect again.", .severity = "FATAL"};
}

Error Session::loss_error() {
    const bool wrote = std::any_of(statement_leases_.begin(), statement_leases_.end(),
                                   [](const auto& entry) { return entry.second.wrote; });
    return transaction_.open() || !wrote ? server_lost() : statement_unknown();
}

/// Idle connections to a server that was lost have most likely gone with it: to be given one after the other would use up the
/// attempts of a statement that only had to wait.
void Session::forget_lost_servers() {
    for (auto& [shard, participant] : statement_leases_) {
        if (participant.connection().broken) core_.pool().distrust(shard);
    }
}

void Session::on_connection_lost(bool writes, bool again) {
    relay_.clear();
    const bool in_transaction = transaction_.open();
    forget_lost_servers();
    release_statement_leases();
    if (again) return;
    if (in_transaction) transaction_.fail();
    throw PgError(in_transaction || !writes ? server_lost() : statement_unknown());
}

/// What is to be done now; throws what the client must be told.
Task<Session::AfterLoss> Session::after_loss(Lost lost) {
    const bool cut = relay_.in_row();
    relay_.clear();
    forget_lost_servers();
    release_statement_leases();
    // Part of a row has gone to the client: whatever came now would be taken for the rest of it.
    if (cut && !client_.take_back(lost.answer_begin)) {
        throw boost::system::system_error(asio::error::connection_aborted);
    }
    if (transaction_.open()) {
        transaction_.fail();
        throw PgError(server_lost());
    }
    Outcome outcome = Outcome::kAbsent;
    if (lost.writes) outcome = co_await find_outcome(core_, lost.token, database_name_);
    switch (outcome) {
        case Outcome::kCommitted:
            if (!lost.answered) throw PgError(answer_lost());
            co_return AfterLoss::kDone;
        case Outcome::kUnknown: throw PgError(statement_unknown());
        case Outcome::kAbsent: break;
    }
    if (!lost.repeatable || lost.attempt >= kAttemptsMax || !client_.take_back(lost.answer_begin)) throw PgError(server_lost());
    co_return AfterLoss::kAgain;
}

/// What writes rows and nothing else: such a statement may have another one behind it in its transaction.
bool Session::may_carry_token(const planner::Statement& statement) {
    using planner::Command;
    switch (statement.command) {
        case Command::kSelect:
        case Command::kInsert:
        case Command::kUpdate:
        case Command::kDelete:
        case Command::kMerge: return !statement.changes_catalog && !statement.pins && !statement.needs_no_transaction;
        default: return false;
    }
}

/// A simple query as the extended protocol says it, so that the token can stand between the statement and its commit.
void Session::put_with_token(backend::Connection& connection, std::string_view sql, const CommitToken& token) {
    std::string& out = connection.out();
    wire::write_parse(out, "", sql, {});
    connection.unnamed_statement = 0;
    wire::FrameWriter(out, 'B').cstring("").cstring("").int16(0).int16(0).int16(0);
    wire::write_describe(out, 'P', "");
    wire::write_execute(out, "", 0);
    relay_.expect({.kind = Expect::Kind::kParse, .forward = false});
    relay_.expect({.kind = Expect::Kind::kBind, .forward = false});
    relay_.expect({.kind = Expect::Kind::kDescribe, .rows_only = true});
    relay_.expect({.kind = Expect::Kind::kExecute});
    put_token(connection, token);
    wire::write_sync(out);
}

/// The answer so far is asked for before the commit, so that it is there when only the commit's own answer is lost; the
/// client gets it with ReadyForQuery.
void Session::put_token(backend::Connection& connection, const CommitToken& token) {
    std::string& out = connection.out();
    const TokenStatement& statement = connection.ran_user_code ? kWaryToken : kPlainToken;
    relay_.hold_back = true;
    wire::write_flush(out);
    if (!connection.prepared.contains(statement.id)) {
        // Whether an earlier pipeline got as far as this is not known after an error in it.
        wire::write_close(out, 'S', statement.name);
        wire::write_parse(out, statement.name, statement.sql, {kTextType});
        connection.prepared.emplace(statement.id, statement.name);
        relay_.expect({.kind = Expect::Kind::kClose, .forward = false});
        relay_.expect({.kind = Expect::Kind::kParse, .forward = false});
    }
    wire::FrameWriter(out, 'B').cstring("").cstring(statement.name).int16(0).int16(1)
        .int32(static_cast<std::int32_t>(token.word.size())).bytes(token.word).int16(0);
    wire::write_execute(out, "", 0);
    relay_.expect({.kind = Expect::Kind::kBind, .forward = false});
    relay_.expect({.kind = Expect::Kind::kExecute, .forward = false});
}

void Session::forget_token_statement(backend::Connection& connection) {
    connection.prepared.erase(kPlainToken.id);
    connection.prepared.erase(kWaryToken.id);
}

/// A cancel or a timeout ended a commit's wait for its standby: what it says counts when the standby has it (PROTOCOLS 1.2).
Task<> Session::await_replication() {
    bool acknowledged = true;
    try {
        co_await barrier(relay_shard_);
    } catch (const PgError&) {
        acknowledged = false;
    }
    if (!acknowledged) throw PgError(statement_unknown());
}

}  // namespace pgmosaic::coordinator

#include "coordinator/authenticate.h"

#include <pwd.h>
#include <sys/socket.h>

#include "base/log.h"
#include "coordinator/internal/sasl_exchange.h"
#include "coordinator/session.h"

namespace pgmosaic::coordinator {

namespace {

/// The operating system's name of who is at the other end of a Unix socket.
std::optional<std::string> peer_account(int socket) {
    ucred peer{};
    socklen_t bytes = sizeof peer;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return std::nullopt;
    passwd entry{};
    passwd* found = nullptr;
    char room[4096];
    if (::getpwuid_r(peer.uid, &entry, room, sizeof room, &found) != 0 || found == nullptr) return std::nullopt;
    return std::string(entry.pw_name);
}

Error failed(SqlState code, const char* method, const std::string& user) {
    return Error{.code = code, .message = std::string(method) + " authentication failed for user \"" + user + "\"", .severity = "FATAL"};
}

void check_peer(Session& session, const LoginFacts& facts) {
    // A rule for Unix sockets and loopback alike: only a socket says who is there.
    if (!facts.origin.unix_socket) throw PgError(no_entry(facts, false));
    const auto account = peer_account(session.client().stream().socket().native_handle());
    if (account != session.user()) throw PgError(failed(sqlstate::kInvalidAuthorization, "Peer", session.user()));
}

void check_certificate(Session& session, const LoginFacts& facts) {
    if (!facts.encrypted) throw PgError(no_entry(facts, false));
    const auto name = session.client().stream().tls()->peer_name();
    if (!name) {
        throw PgError(Error{.code = sqlstate::kInvalidAuthorization,
                            .message = "connection requires a valid client certificate",
                            .severity = "FATAL"});
    }
    if (*name != session.user()) throw PgError(failed(sqlstate::kInvalidAuthorization, "certificate", session.user()));
}

/// What the servers hold of the user's password; nothing: no such role, no password, none of this kind, or an expired one.
Task<std::optional<wire::ScramVerifier>> find_verifier(Session& session) {
    // pg_authid is shared by all databases; this one is on every server.
    const auto found = co_await session.query_service(
        session.home(),
        "SELECT rolpassword FROM pg_catalog.pg_authid WHERE (rolvaliduntil IS NULL OR rolvaliduntil > pg_catalog.now()) AND rolname = " +
            planner::quote_literal(session.user()),
        "postgres");
    co_return wire::read_verifier(found.scalar());
}

Task<> authenticate_by_scram(Session& session) {
    const auto found = co_await find_verifier(session);
    // Nobody is to learn from outside which roles there are: who has no verifier is given one that no proof fits.
    const std::string& secret = session.core().map()->cluster().id;
    const wire::ScramVerifier verifier = found ? *found : wire::mock_verifier(session.user(), secret);
    const std::optional<wire::ScramKeys> keys = co_await exchange_scram(session.client(), verifier);
    if (!keys || !found) throw PgError(failed(sqlstate::kInvalidPassword, "password", session.user()));
    session.core().cluster().keep_keys(session.user(), *keys);
}

}  // namespace

Task<> authenticate(Session& session) {
    const Live& live = session.core().live();
    const bool encrypted = session.client().stream().tls() != nullptr;
    const LoginFacts facts{.origin = session.origin(), .encrypted = encrypted, .user = session.user(), .database = session.database()};
    std::optional<AccessMethod> method = live.access.method(facts);
    if (live.tls_required && !encrypted && !facts.origin.unix_socket) method.reset();
    if (!method) throw PgError(no_entry(facts, false));
    switch (*method) {
        case AccessMethod::kTrust: break;
        case AccessMethod::kReject: throw PgError(no_entry(facts, true));
        case AccessMethod::kPeer: check_peer(session, facts); break;
        case AccessMethod::kCert: check_certificate(session, facts); break;
        case AccessMethod::kScram: co_await authenticate_by_scram(session); break;
    }
}

}  // namespace pgmosaic::coordinator

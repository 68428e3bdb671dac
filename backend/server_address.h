#pragma once

#include <memory>
#include <string>

#include "wire/scram.h"

namespace pgmosaic::backend {

class TlsContext;

/// How connections to servers are protected: libpq's sslmode and sslrootcert, and the same for logins of our own.
struct ServerTls {
    std::string mode = "disable";
    std::string ca{};  ///< empty: libpq's default, ~/.postgresql/root.crt
    std::shared_ptr<const TlsContext> context{};  ///< null: mode is disable
    bool required() const { return mode == "require" || verified(); }
    bool verified() const { return mode == "verify-ca" || mode == "verify-full"; }
};

/// Where a server is and as whom to log in.
struct ServerAddress {
    std::string host;      ///< a name, an address, or the directory of a Unix socket
    int port = 5432;
    std::string database;
    std::string user;
    std::string password{};
    std::string options{};  ///< `-c name=value …` for the session
    std::string application_name = "pgmosaic";
    /// How long either side lets sent bytes go unacknowledged, or the other's window stay closed; 0: for ever. A session for
    /// a client needs 0: a slow reader closes the window for as long as it likes, and so does a server that waits for a lock
    /// in the middle of a COPY. Its server's death is noticed by the supervision.
    int unacknowledged_max_ms = 10000;
    ServerTls tls{};
    /// What the user's own login has given us: the server gets a proof made of them, where it asks for one. Null: libpq logs in.
    std::shared_ptr<const wire::ScramKeys> keys{};
};

/// Whom to ask for at `host`: the socket directory itself, if `host` is this machine and a server listens there on that port.
/// A Unix socket costs both sides a quarter less CPU per message than TCP does. Empty directory: `host` as it is.
std::string nearest_host(const std::string& host, int port, const std::string& socket_directory);

}  // namespace pgmosaic::backend

#include "replication/node/server_spec.h"

#include <string_view>

#include "replication/node/sql.h"

namespace pgmosaic::node {

namespace {

/// A value of postgresql.conf.
std::string quoted(std::string_view value) {
    std::string text = "'";
    for (char c : value) {
        if (c == '\'' || c == '\\') text += c;
        text += c;
    }
    return text + "'";
}

// What pgmosaic relies on, each with the failure that it avoids.
constexpr std::string_view kOwned = R"(
wal_level = replica
hot_standby = on
fsync = on
full_page_writes = on
recovery_init_sync_method = syncfs       # one call instead of a thousand before crash recovery
synchronous_commit = on
wal_log_hints = on                      # pg_rewind brings an old primary back
max_prepared_transactions = 200         # two-phase commit; the same on a standby, or it does not start
max_connections = 200
max_wal_senders = 10
max_replication_slots = 10
wal_retrieve_retry_interval = 100ms     # promotion waits for it: 5 s by default
max_standby_streaming_delay = 1s        # a reader on the standby must not hold up a failover
max_standby_archive_delay = 1s
wal_keep_size = 256MB                   # a standby's or a slot's restart
max_slot_wal_keep_size = 4GB            # a dead standby must not fill the disk
wal_receiver_status_interval = 1s
wal_receiver_timeout = 10s
wal_sender_timeout = 10s
tcp_user_timeout = 10s                  # half-open connections end; sessions for clients set their own (backend/pool)
tcp_keepalives_idle = 5
tcp_keepalives_interval = 2
tcp_keepalives_count = 3
password_encryption = scram-sha-256
logging_collector = off                 # pgmosaic gives the server its log file
log_destination = stderr
log_line_prefix = '%m [%p] %q%u@%d '
)";

constexpr std::string_view kAccess = R"(# Written by pgmosaic. This machine is trusted; nobody else comes in.
local   all          all                 trust
host    all          all  127.0.0.0/8    trust
host    all          all  ::1/128        trust
local   replication  all                 trust
host    replication  all  127.0.0.0/8    trust
host    replication  all  ::1/128        trust
)";

}  // namespace

std::string conninfo(const ServerSpec& server, const std::string& database, const std::string& application_name) {
    return "host=" + quoted(server.socket_directory.empty() ? server.host : server.socket_directory) +
           " port=" + std::to_string(server.port) + " dbname=" + quoted(database) + " user=" + quoted(server.superuser) +
           " application_name=" + quoted(application_name) + " sslmode=disable gssencmode=disable client_encoding=UTF8";
}

std::string server_settings(const ServerSpec& server) {
    std::string text = "# Written by pgmosaic at every start; put your own settings into\n# " + server.user_settings +
                       "\ninclude_if_exists = " + quoted(server.data_directory() + "/postgresql.conf") + "\n" +
                       std::string(kOwned);
    text += "shared_buffers = " + std::to_string(server.shared_buffers_megabytes) + "MB\n";
    text += "cluster_name = " + quoted(server.name) + "\n";
    if (!server.user_settings.empty()) text += "include_if_exists = " + quoted(server.user_settings) + "\n";
    // Behind the operator's: where a server is reached is not a matter of taste.
    text += "listen_addresses = " + quoted(server.host) + "\n";
    text += "port = " + std::to_string(server.port) + "\n";
    text += "unix_socket_directories = " + quoted(server.socket_directory) + "\n";
    text += "hba_file = " + quoted(server.directory + "/pg_hba.conf") + "\n";
    return text;
}

std::string access_rules() { return std::string(kAccess); }

std::string standby_settings(const ServerSpec& standby, const ServerSpec& primary) {
    const std::string source = "host=" + primary.host + " port=" + std::to_string(primary.port) +
                               " user=" + primary.superuser + " application_name=" + standby.name +
                               " sslmode=disable gssencmode=disable connect_timeout=5 tcp_user_timeout=10000"
                               " keepalives_idle=5 keepalives_interval=2 keepalives_count=3";
    return "# Written by pgmosaic after a clone; ALTER SYSTEM changes it.\nprimary_conninfo = " + quoted(source) +
           "\nprimary_slot_name = " + quoted(standby.name) + "\n";
}

}  // namespace pgmosaic::node

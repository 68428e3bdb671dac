#include "base/settings.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace pgmosaic {

namespace {

using Type = SettingType;
using Value = SettingValue;
using std::chrono::milliseconds;

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kHour = 3600 * kSecond;
constexpr std::int64_t kMebibyte = 1024 * 1024;
constexpr std::int64_t kGibibyte = 1024 * kMebibyte;
constexpr std::int64_t kTebibyte = 1024 * kGibibyte;

constexpr std::array kSettings{
    Setting{.name = "version", .type = Type::kInteger, .default_value = "1", .minimum = 1, .maximum = 1,
            .sentence = "Version of this file's format.", .store = [](Config&, const Value&) {}},
    Setting{.name = "cluster", .type = Type::kName, .default_value = "app",
            .sentence = "Name of the cluster, shown by status and used in the store.",
            .store = [](Config& c, const Value& v) { c.cluster = v.text; }},

    Setting{.name = "listen.postgres", .type = Type::kAddresses, .default_value = "[\"127.0.0.1:6432\"]",
            .sentence = "Where clients connect: host:port, or unix:/directory.",
            .store = [](Config& c, const Value& v) { c.listen_postgres = v.items; }},
    Setting{.name = "listen.console", .type = Type::kAddress, .default_value = "\"\"",
            .sentence = "Where metrics, health checks and the console are served; empty: nowhere.",
            .store = [](Config& c, const Value& v) { c.listen_console = v.text; }},
    Setting{.name = "listen.max_clients", .type = Type::kInteger, .unit = "clients", .default_value = "10000",
            .minimum = 1, .maximum = 1000000, .reloads = true,
            .sentence = "More clients than this are turned away with 53300.",
            .store = [](Config& c, const Value& v) { c.max_clients = v.number; }},

    Setting{.name = "tls.mode", .type = Type::kChoice, .default_value = "prefer",
            .choices = "disable prefer require", .reloads = true,
            .sentence = "Whether clients may or must use TLS; prefer offers it when a certificate is given.",
            .store = [](Config& c, const Value& v) { c.tls_mode = v.text; }},
    Setting{.name = "tls.certificate", .type = Type::kPath, .default_value = "\"\"", .reloads = true,
            .sentence = "Certificate chain shown to clients, PEM.",
            .store = [](Config& c, const Value& v) { c.tls_certificate = v.text; }},
    Setting{.name = "tls.key", .type = Type::kPath, .default_value = "\"\"", .reloads = true,
            .sentence = "Private key of the certificate, PEM.",
            .store = [](Config& c, const Value& v) { c.tls_key = v.text; }},
    Setting{.name = "tls.client_ca", .type = Type::kPath, .default_value = "\"\"", .reloads = true,
            .sentence = "Who may sign clients' certificates, PEM; empty: clients are not asked for one.",
            .store = [](Config& c, const Value& v) { c.tls_client_ca = v.text; }},
    Setting{.name = "tls.servers", .type = Type::kChoice, .default_value = "prefer",
            .choices = "disable allow prefer require verify-ca verify-full",
            .sentence = "How connections to the servers are protected, as libpq's sslmode.",
            .store = [](Config& c, const Value& v) { c.tls_servers = v.text; }},
    Setting{.name = "tls.servers_ca", .type = Type::kPath, .default_value = "\"\"",
            .sentence = "Who may sign the servers' certificates, PEM, as libpq's sslrootcert; empty: ~/.postgresql/root.crt.",
            .store = [](Config& c, const Value& v) { c.tls_servers_ca = v.text; }},

    Setting{.name = "auth", .type = Type::kRecords,
            .default_value = "[ { from: local, users: all, method: trust }, "
                             "{ from: all, users: all, method: scram-sha-256 } ]",
            .reloads = true, .sentence = "Who may come in; the first rule that fits decides.",
            .store = [](Config& c, const Value&) { c.auth.emplace_back(); }},
    Setting{.name = "auth[].from", .type = Type::kText, .default_value = "all",
            .sentence = "`local` (Unix sockets and loopback), `all`, or a network such as 10.0.0.0/8.",
            .store = [](Config& c, const Value& v) { c.auth.back().from = v.text; }},
    Setting{.name = "auth[].users", .type = Type::kTexts, .default_value = "all",
            .sentence = "`all`, or a list of roles.",
            .store = [](Config& c, const Value& v) { c.auth.back().users = v.items; }},
    Setting{.name = "auth[].databases", .type = Type::kTexts, .default_value = "all",
            .sentence = "`all`, `sameuser`, or a list of databases.",
            .store = [](Config& c, const Value& v) { c.auth.back().databases = v.items; }},
    Setting{.name = "auth[].method", .type = Type::kChoice, .default_value = "scram-sha-256",
            .choices = "trust scram-sha-256 cert peer reject",
            .sentence = "What a client must show: nothing, a password, a certificate with its name, its name on this machine.",
            .store = [](Config& c, const Value& v) { c.auth.back().method = v.text; }},

    Setting{.name = "store.kind", .type = Type::kChoice, .default_value = "sqlite", .choices = "sqlite etcd",
            .sentence = "Where the shard map lives: an embedded file, or etcd for several pgmosaic.",
            .store = [](Config& c, const Value& v) { c.store_kind = v.text; }},
    Setting{.name = "store.path", .type = Type::kPath, .default_value = "state/map.db",
            .sentence = "File of the embedded store.",
            .store = [](Config& c, const Value& v) { c.store_path = v.text; }},
    Setting{.name = "store.endpoints", .type = Type::kAddresses, .default_value = "[]",
            .sentence = "Addresses of etcd.",
            .store = [](Config& c, const Value& v) { c.store_endpoints = v.items; }},
    Setting{.name = "store.prefix", .type = Type::kText, .default_value = "\"\"",
            .sentence = "What our keys in etcd begin with; empty: /pgmosaic/ and the cluster's name.",
            .store = [](Config& c, const Value& v) { c.store_prefix = v.text; }},

    Setting{.name = "shards", .type = Type::kRecords, .default_value = "[]",
            .sentence = "Shards of a new store; afterwards the store knows them and this is not read.",
            .store = [](Config& c, const Value&) { c.shards.emplace_back(); }},
    Setting{.name = "shards[].name", .type = Type::kName, .default_value = "\"\"",
            .sentence = "Name of the shard, such as s1.",
            .store = [](Config& c, const Value& v) { c.shards.back().name = v.text; }},
    Setting{.name = "shards[].nodes", .type = Type::kAddresses, .default_value = "[]",
            .sentence = "Its servers: the primary, then the standby.",
            .store = [](Config& c, const Value& v) { c.shards.back().nodes = v.items; }},
    Setting{.name = "shards[].agent", .type = Type::kAddresses, .default_value = "[]",
            .sentence = "The agents on the servers' hosts, in the order of nodes.",
            .store = [](Config& c, const Value& v) { c.shards.back().agents = v.items; }},

    Setting{.name = "servers.user", .type = Type::kText, .default_value = "pgmosaic",
            .sentence = "pgmosaic's own login on the servers.",
            .store = [](Config& c, const Value& v) { c.servers_user = v.text; }},
    Setting{.name = "servers.password", .type = Type::kSecret, .default_value = "\"\"",
            .sentence = "Its password, as file:PATH or env:NAME.",
            .store = [](Config& c, const Value& v) { c.servers_password = v.text; }},
    Setting{.name = "workbench", .type = Type::kAddress, .default_value = "\"\"",
            .sentence = "The plain PostgreSQL that finishes what shards cannot; empty: none.",
            .store = [](Config& c, const Value& v) { c.workbench = v.text; }},
    Setting{.name = "threads", .type = Type::kInteger, .unit = "threads", .default_value = "0", .minimum = 0,
            .maximum = 1024, .sentence = "Threads that serve clients; 0: one per core.",
            .store = [](Config& c, const Value& v) { c.threads = v.number; }},

    Setting{.name = "pool.mode", .type = Type::kChoice, .default_value = "transaction",
            .choices = "transaction session",
            .sentence = "How long a client keeps a server connection.",
            .store = [](Config& c, const Value& v) { c.pool_mode = v.text; }},
    Setting{.name = "pool.per_shard", .type = Type::kInteger, .unit = "connections", .default_value = "40",
            .minimum = 1, .maximum = 10000, .reloads = true,
            .sentence = "Connections to each shard's primary, all cores together.",
            .store = [](Config& c, const Value& v) { c.pool_per_shard = v.number; }},
    Setting{.name = "pool.wait_timeout", .type = Type::kDuration, .unit = "ms", .default_value = "5s",
            .minimum = 1, .maximum = kHour, .reloads = true,
            .sentence = "How long a statement waits for a connection, or for a primary, before 57P03.",
            .store = [](Config& c, const Value& v) { c.pool_wait_timeout = milliseconds(v.number); }},

    Setting{.name = "reads.from", .type = Type::kChoice, .default_value = "primary",
            .choices = "primary standby any",
            .sentence = "Which servers answer reads, unless a session says otherwise.",
            .store = [](Config& c, const Value& v) { c.reads_from = v.text; }},
    Setting{.name = "reads.max_staleness", .type = Type::kDuration, .unit = "ms", .default_value = "1s",
            .minimum = 0, .maximum = 24 * kHour,
            .sentence = "How old a standby's answer may be.",
            .store = [](Config& c, const Value& v) { c.reads_max_staleness = milliseconds(v.number); }},

    Setting{.name = "failover.automatic", .type = Type::kBoolean, .default_value = "true", .reloads = true,
            .sentence = "Whether a dead primary is replaced without an operator.",
            .store = [](Config& c, const Value& v) { c.failover_automatic = v.number != 0; }},
    Setting{.name = "failover.detect", .type = Type::kDuration, .unit = "ms", .default_value = "2s",
            .minimum = 200, .maximum = kHour,
            .sentence = "How long a primary may be silent before it counts as dead.",
            .store = [](Config& c, const Value& v) { c.failover_detect = milliseconds(v.number); }},
    Setting{.name = "failover.commit_tokens", .type = Type::kBoolean, .default_value = "true",
            .sentence = "Whether a write carries a token by which its outcome is found when its server is lost; else it ends as 08007.",
            .store = [](Config& c, const Value& v) { c.failover_commit_tokens = v.number != 0; }},
    Setting{.name = "failover.without_standby", .type = Type::kChoice, .default_value = "continue",
            .choices = "continue wait",
            .sentence = "Whether a primary that has lost its standby goes on alone, or its writes wait.",
            .store = [](Config& c, const Value& v) { c.failover_without_standby = v.text; }},

    Setting{.name = "limits.clients_per_user", .type = Type::kInteger, .unit = "clients", .default_value = "0", .minimum = 0,
            .maximum = 1000000, .reloads = true,
            .sentence = "More clients of one user than this are turned away with 53300; 0: no bound. Superusers are counted, too.",
            .store = [](Config& c, const Value& v) { c.clients_per_user = v.number; }},
    Setting{.name = "limits.clients_per_database", .type = Type::kInteger, .unit = "clients", .default_value = "0", .minimum = 0,
            .maximum = 1000000, .reloads = true,
            .sentence = "More clients of one database than this are turned away with 53300; 0: no bound.",
            .store = [](Config& c, const Value& v) { c.clients_per_database = v.number; }},
    Setting{.name = "limits.memory", .type = Type::kSize, .unit = "B", .default_value = "2GiB",
            .minimum = 64 * kMebibyte, .maximum = 64 * kTebibyte,
            .sentence = "Memory for merging and for clients' buffers, all together.",
            .store = [](Config& c, const Value& v) { c.memory_bytes = v.number; }},
    Setting{.name = "limits.spill_dir", .type = Type::kPath, .default_value = "spill",
            .sentence = "Directory for what does not fit into memory.",
            .store = [](Config& c, const Value& v) { c.spill_dir = v.text; }},
    Setting{.name = "limits.workbench_max_bytes", .type = Type::kSize, .unit = "B", .default_value = "4GiB",
            .minimum = kMebibyte, .maximum = 64 * kTebibyte, .reloads = true,
            .sentence = "What one statement may bring to the workbench.",
            .store = [](Config& c, const Value& v) { c.workbench_max_bytes = v.number; }},

    Setting{.name = "log.format", .type = Type::kChoice, .default_value = "logfmt", .choices = "logfmt json",
            .sentence = "Form of the log's lines.",
            .store = [](Config& c, const Value& v) { c.log_format = v.text; }},
    Setting{.name = "log.level", .type = Type::kChoice, .default_value = "info",
            .choices = "debug info warn error", .reloads = true, .sentence = "What is logged.",
            .store = [](Config& c, const Value& v) { c.log_level = v.text; }},
    Setting{.name = "log.slow", .type = Type::kDuration, .unit = "ms", .default_value = "500ms", .minimum = 0,
            .maximum = 24 * kHour,
            .sentence = "Statements that take longer are logged; 0: none.",
            .store = [](Config& c, const Value& v) { c.log_slow = milliseconds(v.number); }},
};

struct Unit {
    std::string_view name;
    std::int64_t factor;
};
constexpr std::array kDurationUnits{Unit{"ms", 1}, Unit{"s", kSecond}, Unit{"min", 60 * kSecond}, Unit{"h", kHour},
                                    Unit{"d", 24 * kHour}};
constexpr std::array kSizeUnits{Unit{"B", 1}, Unit{"KiB", 1024}, Unit{"MiB", kMebibyte}, Unit{"GiB", kGibibyte},
                                Unit{"TiB", kTebibyte}};

/// Digits and a unit; a bare zero needs none. Overflow is "something else".
bool parse_quantity(std::string_view text, std::span<const Unit> units, std::int64_t& value) {
    std::int64_t digits = 0;
    const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), digits);
    if (failure != std::errc() || digits < 0) return false;
    const std::string_view unit(rest, static_cast<std::size_t>(text.data() + text.size() - rest));
    if (unit.empty()) {
        value = 0;
        return digits == 0;
    }
    for (const Unit& known : units) {
        if (known.name == unit) return !__builtin_mul_overflow(digits, known.factor, &value);
    }
    return false;
}

/// The largest unit that divides the value.
std::string format_quantity(std::int64_t value, std::span<const Unit> units) {
    if (value == 0) return "0";
    const Unit* fitting = units.data();
    for (const Unit& unit : units) {
        if (value % unit.factor == 0) fitting = &unit;
    }
    return std::to_string(value / fitting->factor) + std::string(fitting->name);
}

std::string bounds(const Setting& setting) {
    switch (setting.type) {
        case Type::kInteger:
            return std::to_string(setting.minimum) + " … " + std::to_string(setting.maximum);
        case Type::kDuration:
            return format_duration(milliseconds(setting.minimum)) + " … " +
                   format_duration(milliseconds(setting.maximum));
        case Type::kSize:
            return format_size(setting.minimum) + " … " + format_size(setting.maximum);
        case Type::kChoice: {
            std::string text(setting.choices);
            std::replace(text.begin(), text.end(), ' ', ',');
            return text;
        }
        case Type::kBoolean:
            return "true,false";
        case Type::kName:
        case Type::kText:
        case Type::kPath:
        case Type::kSecret:
        case Type::kAddress:
        case Type::kAddresses:
        case Type::kTexts:
        case Type::kRecords:
            return "";
    }
    return "";
}

}  // namespace

std::span<const Setting> settings() { return kSettings; }

const Setting* find_setting(std::string_view name) {
    const auto found = std::find_if(kSettings.begin(), kSettings.end(),
                                    [name](const Setting& setting) { return setting.name == name; });
    return found == kSettings.end() ? nullptr : &*found;
}

bool parse_duration(std::string_view text, milliseconds& length) {
    std::int64_t value = 0;
    if (!parse_quantity(text, kDurationUnits, value)) return false;
    length = milliseconds(value);
    return true;
}

bool parse_size(std::string_view text, std::int64_t& bytes) { return parse_quantity(text, kSizeUnits, bytes); }

std::string format_duration(milliseconds length) { return format_quantity(length.count(), kDurationUnits); }

std::string format_size(std::int64_t bytes) { return format_quantity(bytes, kSizeUnits); }

std::string_view type_name(SettingType type) {
    switch (type) {
        case Type::kInteger: return "integer";
        case Type::kBoolean: return "boolean";
        case Type::kDuration: return "duration";
        case Type::kSize: return "size";
        case Type::kChoice: return "choice";
        case Type::kName: return "name";
        case Type::kText: return "text";
        case Type::kPath: return "path";
        case Type::kSecret: return "secret";
        case Type::kAddress: return "address";
        case Type::kAddresses: return "list of addresses";
        case Type::kTexts: return "list";
        case Type::kRecords: return "list of maps";
    }
    return "";
}

std::string settings_markdown() {
    std::string page =
        "# Settings\n\nGenerated by `pgmosaic init --markdown` from `base/settings.cc`; do not edit.\n\n"
        "| setting | type | default | bounds | reloads | |\n|---|---|---|---|---|---|\n";
    for (const Setting& setting : settings()) {
        page += "| `" + std::string(setting.name) + "` | " + std::string(type_name(setting.type)) + " | `" +
                std::string(setting.default_value) + "` | " + bounds(setting) + " | " +
                (setting.reloads ? "yes" : "no") + " | " + std::string(setting.sentence) + " |\n";
    }
    return page;
}

}  // namespace pgmosaic

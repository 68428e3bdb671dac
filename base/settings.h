#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pgmosaic {

/// Who may come in from where. `from`: `local` (Unix sockets and loopback), `all`, or an address with a mask.
struct AuthRule {
    std::string from{};
    std::vector<std::string> users{};
    std::vector<std::string> databases{};
    std::string method{};
    friend bool operator==(const AuthRule&, const AuthRule&) = default;
};

/// A shard of a new store: the first node is the primary.
struct ShardBootstrap {
    std::string name{};
    std::vector<std::string> nodes{};
    std::vector<std::string> agents{};
};

/// What the configuration file says, checked and with defaults filled in. Paths are absolute, secrets are read.
struct Config {
    std::string file{};
    std::string cluster{};
    std::vector<std::string> listen_postgres{};  ///< `host:port` or `unix:/directory`
    std::string listen_console{};                ///< empty: no console
    std::int64_t max_clients = 0;
    std::string tls_mode{};
    std::string tls_certificate{};
    std::string tls_key{};
    std::string tls_client_ca{};
    std::string tls_servers{};
    std::string tls_servers_ca{};
    std::vector<AuthRule> auth{};
    std::string store_kind{};
    std::string store_path{};
    std::vector<std::string> store_endpoints{};
    std::string store_prefix{};
    std::vector<ShardBootstrap> shards{};
    std::string servers_user{};
    std::string servers_password{};
    std::string workbench{};
    std::int64_t threads = 0;
    std::string pool_mode{};
    std::int64_t pool_per_shard = 0;
    std::chrono::milliseconds pool_wait_timeout{};
    std::string reads_from{};
    std::chrono::milliseconds reads_max_staleness{};
    bool failover_automatic = false;
    bool failover_commit_tokens = false;
    std::chrono::milliseconds failover_detect{};
    std::string failover_without_standby{};
    std::int64_t clients_per_user = 0;
    std::int64_t clients_per_database = 0;
    std::int64_t memory_bytes = 0;
    std::string spill_dir{};
    std::int64_t workbench_max_bytes = 0;
    std::string log_format{};
    std::string log_level{};
    std::chrono::milliseconds log_slow{};

    /// What `mosaic.settings` shows, by name; a secret is shown as where it comes from.
    std::map<std::string, std::string> shown{};
};

/// One value of the file after its type's check.
struct SettingValue {
    std::string text{};                ///< as written; a path made absolute, a secret read
    std::int64_t number = 0;           ///< integer; duration in milliseconds; size in bytes; boolean 0 or 1
    std::vector<std::string> items{};  ///< a list
};

enum class SettingType : std::uint8_t {
    kInteger,
    kBoolean,
    kDuration,
    kSize,
    kChoice,
    kName,
    kText,
    kPath,
    kSecret,
    kAddress,
    kAddresses,
    kTexts,
    kRecords,  ///< a list of maps; their fields are the settings named `name[].field`
};

/// One setting, declared once: the check of the file, `init`, `mosaic.settings` and docs/settings.md read this.
struct Setting {
    std::string_view name{};
    SettingType type = SettingType::kText;
    std::string_view unit{};           ///< of a number
    std::string_view default_value{};  ///< as YAML
    std::int64_t minimum = 0;          ///< of a number, in milliseconds or bytes for lengths and sizes
    std::int64_t maximum = 0;
    std::string_view choices{};  ///< of kChoice, separated by blanks
    bool reloads = false;        ///< SIGHUP is enough
    std::string_view sentence{};
    void (*store)(Config& config, const SettingValue& value) = nullptr;
};

/// All settings, in the order in which a file names them.
std::span<const Setting> settings();

/// nullptr: there is none of that name.
const Setting* find_setting(std::string_view name);

/// `500ms`, `2s`, `5min`, `1h`, `1d`, or `0`; false if `text` is something else.
bool parse_duration(std::string_view text, std::chrono::milliseconds& length);
/// `512B`, `64KiB`, `2GiB`, `1TiB`, or `0`; false if `text` is something else.
bool parse_size(std::string_view text, std::int64_t& bytes);

std::string format_duration(std::chrono::milliseconds length);
std::string format_size(std::int64_t bytes);

/// For docs: `integer`, `duration`, …
std::string_view type_name(SettingType type);

/// The table of all settings as Markdown: docs/settings.md.
std::string settings_markdown();

}  // namespace pgmosaic

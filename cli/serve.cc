#include "cli/serve.h"

#include <signal.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <mutex>

#include "base/log.h"
#include "cli/bootstrap.h"
#include "cli/config.h"
#include "cli/endpoint.h"
#include "cli/reload.h"
#include "cli/signals.h"
#include "replication/node/files.h"
#include "replication/node/local_nodes.h"
#include "shardmap/store/map_store.h"
#include "shardmap/store/sqlite_store.h"

namespace pgmosaic::cli {

namespace {

Result<std::shared_ptr<store::Store>> store_of(const Config& config) {
    if (config.store_kind != "sqlite") return refusal("store.kind \"" + config.store_kind + "\" is not available in this version");
    std::error_code failure;
    std::filesystem::create_directories(std::filesystem::path(config.store_path).parent_path(), failure);
    Result<std::unique_ptr<store::SqliteStore>> opened = store::SqliteStore::open(config.store_path);
    if (!opened) return opened.error();
    return std::shared_ptr<store::Store>(std::move(*opened));
}

/// A store without a map gets one from `shards`, if the servers there are what the file says.
Result<void> ensure_map(const Config& config, store::Store& store) {
    const Result<bool> has_map = store::has_map(store);
    if (!has_map) return has_map.error();
    if (*has_map) return {};
    const Result<shardmap::MapPointer> first = bootstrap_map(config);
    if (!first) return first.error();
    const Result<shardmap::MapPointer> made = store::create_map(store, **first, "pgmosaic serve");
    return made ? Result<void>{} : made.error();
}

ExitCode report(const ConfigCheck& check, const std::string& file) {
    std::cerr << render_problems(check, file);
    return ExitCode::kUsage;
}

}  // namespace

ExitCode serve(const std::string& config_file) {
    ConfigCheck check = check_config_file(config_file);
    if (!check.problems.empty()) return report(check, config_file);
    Config& config = check.config;
    open_log(config.log_level);
    std::mutex mutex;
    std::unique_ptr<Endpoint> endpoint;
    std::atomic<bool> stopping{false};
    const Signals signals([&](int number) {
        const std::lock_guard lock(mutex);
        if (number == SIGHUP) {
            if (endpoint) reload_config(config, *endpoint);
            return;
        }
        stopping = true;
        if (endpoint) endpoint->stop();
    });
    Result<std::shared_ptr<store::Store>> store = store_of(config);
    if (!store) return fail(store.error());
    if (Result<void> ensured = ensure_map(config, **store); !ensured) return fail(ensured.error());
    node::Children children;
    node::LocalNodes nobody({}, node::Binaries{}, children);  // servers are started by whoever made them
    {
        const std::lock_guard lock(mutex);
        Result<std::unique_ptr<Endpoint>> made = Endpoint::make(config, *store, {.nodes = &nobody});
        if (!made) return fail(made.error());
        endpoint = std::move(*made);
        if (Result<void> listening = endpoint->listen(); !listening) return fail(listening.error());
    }
    spdlog::info("cli listening");
    if (!stopping) endpoint->run();
    const std::lock_guard lock(mutex);
    endpoint.reset();
    return ExitCode::kDone;
}

ExitCode check(const std::string& config_file, bool online) {
    const ConfigCheck found = check_config_file(config_file);
    if (!found.problems.empty()) return report(found, config_file);
    if (online) {
        const std::vector<std::string> faults = server_faults(found.config);
        for (const std::string& fault : faults) std::cerr << config_file << ": error: " << fault << '\n';
        if (!faults.empty()) return ExitCode::kUsage;
    }
    std::cout << config_file << ": no errors\n";
    return ExitCode::kDone;
}

ExitCode init(const std::string& file) {
    if (file.empty()) {
        std::cout << initial_config();
        return ExitCode::kDone;
    }
    if (std::filesystem::exists(file)) {
        return fail(Error{.code = sqlstate::kDuplicateObject, .message = "file \"" + file + "\" exists already",
                          .hint = "Name another one, or remove it first."});
    }
    const Result<void> written = node::write_text(file, initial_config(), 0644);
    return written ? ExitCode::kDone : fail(written.error());
}

}  // namespace pgmosaic::cli

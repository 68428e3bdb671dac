#include "coordinator/cluster.h"

#include <openssl/rand.h>

#include <boost/asio/post.hpp>

#include "coordinator/core.h"

namespace pgmosaic::coordinator {

namespace {

/// Stands for whatever a shard that has not been read may have prepared.
constexpr const char* kUnread = "unread";

std::string random_hex(std::size_t bytes) {
    std::string raw(bytes, '\0');
    PGM_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(raw.data()), static_cast<int>(bytes)) == 1,
              "the random number generator is seeded");
    std::string hex;
    for (unsigned char byte : raw) {
        hex += "0123456789abcdef"[byte >> 4];
        hex += "0123456789abcdef"[byte & 15];
    }
    return hex;
}

}  // namespace

std::shared_ptr<const planner::Catalog> Database::catalog() const {
    const std::lock_guard lock(mutex_);
    return catalog_;
}

void Database::publish(std::shared_ptr<const planner::Catalog> catalog) {
    const std::lock_guard lock(mutex_);
    // Two loads may end in the other order than they began: the younger snapshot stays.
    if (catalog->version() <= outdated_up_to_ || (catalog_ && catalog_->version() > catalog->version())) return;
    version_.store(catalog->version(), std::memory_order_release);
    catalog_ = std::move(catalog);
}

void Database::invalidate() {
    const std::lock_guard lock(mutex_);
    outdated_up_to_ = last_version_.load();
    catalog_.reset();
    version_.store(0, std::memory_order_release);
}

Cluster::Cluster(ServerOptions options, LivePointer live, shardmap::MapPointer map)
    : options_(std::move(options)), live_(std::move(live)), map_(std::move(map)), incarnation_(random_hex(6)) {
    map_version_ = map_->version().value;
    for (std::size_t i = 0; i < map_->shards().size(); ++i) {
        slots_.push_back(std::make_shared<backend::SlotCount>());
        wal_floors_.emplace_back();
    }
    for (ShardId shard : map_->shard_ids()) unread_.insert(shard);
}

LivePointer Cluster::live() const {
    const std::lock_guard lock(mutex_);
    return live_;
}

void Cluster::use_live(LivePointer live) {
    {
        const std::lock_guard lock(mutex_);
        live_ = live;
    }
    for (Core* core : cores_) asio::post(core->executor(), [core, live] { core->use_live(live); });
}

std::shared_ptr<const wire::ScramKeys> Cluster::keys_of(const std::string& user) const {
    const std::lock_guard lock(mutex_);
    const auto found = keys_.find(user);
    return found == keys_.end() ? nullptr : found->second;
}

void Cluster::keep_keys(const std::string& user, const wire::ScramKeys& keys) {
    const std::lock_guard lock(mutex_);
    auto& slot = keys_[user];
    if (!slot || *slot != keys) slot = std::make_shared<const wire::ScramKeys>(keys);
}

shardmap::MapPointer Cluster::map() const {
    const std::lock_guard lock(mutex_);
    return map_;
}

void Cluster::publish(shardmap::MapPointer map) {
    {
        const std::lock_guard lock(mutex_);
        if (map->version() <= map_->version()) return;
        map_ = map;
    }
    for (Core* core : cores_) asio::post(core->executor(), [core, map] { core->use_map(map); });
    map_version_.store(map->version().value, std::memory_order_release);
}

std::shared_ptr<Database> Cluster::database(const std::string& name) {
    const std::lock_guard lock(mutex_);
    auto& slot = databases_[name];
    if (!slot) {
        slot = std::make_shared<Database>(name);
        for (ShardId shard : unread_) slot->moment().doubt(kUnread, shard);
    }
    return slot;
}

std::vector<std::shared_ptr<Database>> Cluster::databases() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Database>> all;
    for (const auto& [name, database] : databases_) all.push_back(database);
    return all;
}

void Cluster::shard_was_read(ShardId shard) {
    const std::lock_guard lock(mutex_);
    if (unread_.erase(shard) == 0) return;
    for (const auto& [name, database] : databases_) database->moment().resolve(kUnread, shard);
}

void Cluster::forget_database(const std::string& name) {
    const std::lock_guard lock(mutex_);
    const auto found = databases_.find(name);
    if (found == databases_.end()) return;
    found->second->invalidate();
    databases_.erase(found);
}

std::string Cluster::gid_prefix() const { return "pgm_" + map()->cluster().id + "_"; }

std::string Cluster::new_gid(ShardId decision, const std::string& proof) {
    std::string gid = gid_prefix() + incarnation_ + "_" + std::to_string(decision.value) + "_" +
                      std::to_string(gid_number_.fetch_add(1) + 1) + "_" + proof;
    const std::lock_guard lock(mutex_);
    in_flight_.insert(gid);
    return gid;
}

void Cluster::settled(const std::string& gid) {
    const std::lock_guard lock(mutex_);
    in_flight_.erase(gid);
}

bool Cluster::in_flight(const std::string& gid) const {
    const std::lock_guard lock(mutex_);
    return in_flight_.contains(gid);
}

backend::Endpoint endpoint_of(const shardmap::Shard& shard) {
    const shardmap::Node& node = shard.primary_node();
    return {.host = node.host, .port = node.port, .generation = shard.epoch.value, .available = shard.serves()};
}

}  // namespace pgmosaic::coordinator

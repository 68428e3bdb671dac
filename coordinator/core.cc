#include "coordinator/core.h"

#include <boost/asio/post.hpp>

namespace pgmosaic::coordinator {

namespace {

constexpr std::size_t kDescriptionsMax = 4096;
constexpr std::size_t kIdentitiesMax = 1024;
constexpr std::size_t kStatementIdsMax = 65536;
constexpr std::size_t kTextsSeenMax = 8192;
constexpr int kServicePerShardMax = 20;

std::vector<std::shared_ptr<backend::SlotCount>> fresh_slots(std::size_t count) {
    std::vector<std::shared_ptr<backend::SlotCount>> slots;
    for (std::size_t i = 0; i < count; ++i) slots.push_back(std::make_shared<backend::SlotCount>());
    return slots;
}

}  // namespace

Core::Core(Cluster& cluster, int number)
    : cluster_(cluster), number_(number), live_(cluster.live()), workbench_(cluster.options()), tasks_(context_.get_executor()) {
    const ServerOptions& options = cluster.options();
    const std::size_t shards = cluster.map()->shards().size();
    const auto password = [&options](const std::string& user) {
        return user == options.service_user ? options.service_password : std::string{};
    };
    pool_ = std::make_unique<backend::Pool>(
        executor(), backend::PoolOptions{.per_shard_max = live_->per_shard_max, .wait_timeout = live_->wait_timeout, .tls = options.server_tls},
        cluster.slots());
    service_pool_ = std::make_unique<backend::Pool>(
        executor(), backend::PoolOptions{.per_shard_max = kServicePerShardMax, .wait_timeout = live_->wait_timeout, .tls = options.server_tls},
        fresh_slots(shards));
    pool_->password_of = password;
    service_pool_->password_of = password;
    pool_->keys_of = [this](const std::string& user) { return cluster_.keys_of(user); };
    pool_->on_slot_free = [this] {
        for (Core* other : cluster_.cores()) {
            if (other != this) asio::post(other->executor(), [other] { other->pool().wake(); });
        }
    };
    use_map(cluster.map());
}

Core::~Core() = default;

void Core::use_live(LivePointer live) {
    live_ = std::move(live);
    pool_->set_bounds(live_->per_shard_max, live_->wait_timeout);
    service_pool_->set_bounds(kServicePerShardMax, live_->wait_timeout);
}

void Core::use_map(shardmap::MapPointer map) {
    map_ = std::move(map);
    available_.resize(map_->shards().size(), false);
    for (const shardmap::Shard& shard : map_->shards()) set_endpoint(shard);
}

void Core::set_available(ShardId shard, bool available) {
    available_[shard.value] = available;
    set_endpoint(map_->shard(shard));
}

void Core::set_endpoint(const shardmap::Shard& shard) {
    backend::Endpoint endpoint = endpoint_of(shard);
    endpoint.available = endpoint.available && available_[shard.id.value];
    endpoint.socket_directory = cluster_.options().socket_directory;
    pool_->set_endpoint(shard.id, endpoint);
    service_pool_->set_endpoint(shard.id, endpoint);
    if (on_endpoint) on_endpoint(shard.id, endpoint);
}

planner::Planner& Core::planner(const std::string& database) {
    auto& slot = planners_[database];
    if (!slot) slot = std::make_unique<planner::Planner>();
    return *slot;
}

Gate& Core::gate(const std::string& database) {
    auto& slot = gates_[database];
    if (!slot) slot = std::make_unique<Gate>(executor());
    return *slot;
}

std::shared_ptr<const Description> Core::find_description(const std::string& key) const {
    const auto found = descriptions_.find(key);
    return found == descriptions_.end() ? nullptr : found->second;
}

void Core::keep_description(const std::string& key, std::shared_ptr<const Description> description) {
    if (descriptions_.size() >= kDescriptionsMax) descriptions_.clear();
    descriptions_[key] = std::move(description);
}

std::shared_ptr<const Identity> Core::find_identity(const std::string& key, const SettingsPointer& settings) const {
    const auto [begin, end] = identities_.equal_range(key);
    for (auto entry = begin; entry != end; ++entry) {
        if (entry->second->settings == settings) return entry->second;
    }
    return nullptr;
}

void Core::keep_identity(const std::string& key, std::shared_ptr<const Identity> identity) {
    if (identities_.size() >= kIdentitiesMax) identities_.clear();
    identities_.emplace(key, std::move(identity));
}

bool Core::seen_before(std::string_view text) {
    if (texts_seen_.size() >= kTextsSeenMax) texts_seen_.clear();
    return !texts_seen_.insert(std::hash<std::string_view>{}(text)).second;
}

std::uint64_t Core::statement_id(const std::string& key) {
    // Numbers are never used twice, so forgetting all of them only means that statements are prepared again.
    if (statement_ids_.size() >= kStatementIdsMax) statement_ids_.clear();
    const auto [place, fresh] = statement_ids_.try_emplace(key, next_statement_id_ + 1);
    if (fresh) ++next_statement_id_;
    return place->second;
}

}  // namespace pgmosaic::coordinator

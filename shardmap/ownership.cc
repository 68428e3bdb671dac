#include "shardmap/ownership.h"

#include <algorithm>

namespace pgmosaic::shardmap {

namespace {

Error not_owned_once(std::size_t bucket, const char* what) {
    return Error{.message = "bucket " + std::to_string(bucket) + " is owned " + what};
}

}  // namespace

Result<std::shared_ptr<const Ownership>> Ownership::make(std::vector<BucketRange> ranges) {
    std::sort(ranges.begin(), ranges.end(), [](const auto& left, const auto& right) { return left.first < right.first; });
    std::shared_ptr<Ownership> made(new Ownership);
    std::size_t next = 0;
    for (const BucketRange& range : ranges) {
        if (range.first > next) return not_owned_once(next, "by nobody");
        if (range.first < next || range.last < range.first) return not_owned_once(range.first, "twice");
        std::fill(made->flat_.begin() + range.first, made->flat_.begin() + range.last + 1, range.owner);
        next = std::size_t{range.last} + 1;
    }
    if (next != kBucketCount) return not_owned_once(next, "by nobody");
    made->collect_ranges();
    return std::shared_ptr<const Ownership>(std::move(made));
}

std::shared_ptr<const Ownership> Ownership::even(const std::vector<ShardId>& shards) {
    PGM_CHECK(!shards.empty() && shards.size() <= kBucketCount, "buckets are split over at least one shard");
    std::shared_ptr<Ownership> made(new Ownership);
    const std::size_t share = kBucketCount / shards.size();
    const std::size_t left_over = kBucketCount % shards.size();
    auto from = made->flat_.begin();
    for (std::size_t i = 0; i < shards.size(); ++i) {
        const auto to = from + static_cast<std::ptrdiff_t>(share + (i < left_over ? 1 : 0));
        std::fill(from, to, shards[i]);
        from = to;
    }
    made->collect_ranges();
    return made;
}

std::size_t Ownership::count(ShardId shard) const {
    std::size_t buckets = 0;
    for (const BucketRange& range : ranges_) {
        if (range.owner == shard) buckets += std::size_t{range.last} - range.first + 1;
    }
    return buckets;
}

std::shared_ptr<const Ownership> Ownership::with(BucketRange range) const {
    PGM_CHECK(range.first <= range.last, "a range of buckets is not empty");
    std::shared_ptr<Ownership> made(new Ownership(*this));
    std::fill(made->flat_.begin() + range.first, made->flat_.begin() + range.last + 1, range.owner);
    made->collect_ranges();
    return made;
}

void Ownership::collect_ranges() {
    ranges_.clear();
    for (std::size_t first = 0; first < kBucketCount;) {
        std::size_t next = first + 1;
        while (next < kBucketCount && flat_[next] == flat_[first]) ++next;
        ranges_.push_back({.first = static_cast<std::uint16_t>(first),
                           .last = static_cast<std::uint16_t>(next - 1),
                           .owner = flat_[first]});
        first = next;
    }
}

}  // namespace pgmosaic::shardmap

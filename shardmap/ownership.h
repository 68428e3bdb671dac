#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/ids.h"
#include "shardmap/hash.h"

namespace pgmosaic::shardmap {

/// Buckets [first, last] belong to `owner`.
struct BucketRange {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
    ShardId owner{};

    friend bool operator==(const BucketRange&, const BucketRange&) = default;
};

/// Who owns each of the 65,536 buckets; immutable, shared by all groups that are spread alike.
///
/// Shape  ranges in order, neighbours of one owner joined, and the same flat: 128 KiB, so that a look-up is one access
class Ownership {
   public:
    /// Errors: XX000 unless every bucket is owned exactly once. Ranges may come in any order.
    static Result<std::shared_ptr<const Ownership>> make(std::vector<BucketRange> ranges);
    /// Equal parts in the order of the shards; the first ones get what is left over.
    static std::shared_ptr<const Ownership> even(const std::vector<ShardId>& shards);

    ShardId owner(Bucket bucket) const { return flat_[bucket.value]; }
    const std::vector<BucketRange>& ranges() const { return ranges_; }
    /// How many buckets a shard owns.
    std::size_t count(ShardId shard) const;
    /// The same with one range in another hand.
    std::shared_ptr<const Ownership> with(BucketRange range) const;

   private:
    Ownership() = default;
    void collect_ranges();

    std::vector<BucketRange> ranges_;
    std::array<ShardId, kBucketCount> flat_{};
};

}  // namespace pgmosaic::shardmap

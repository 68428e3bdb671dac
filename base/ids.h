#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace pgmosaic {

/// An integer that cannot be swapped for another one: `ShardId{3}`. `Tag` makes the type, `Rep` holds the value.
template <class Tag, class Rep>
struct StrongInt {
    using rep = Rep;
    Rep value{};
    friend constexpr auto operator<=>(StrongInt, StrongInt) = default;
};

/// Position of a shard in `ShardMap::shards`; stable for the life of the cluster.
using ShardId = StrongInt<struct ShardTag, std::uint16_t>;
/// Number of a server (primary or standby) within the cluster; never reused.
using NodeId = StrongInt<struct NodeTag, std::uint32_t>;
/// Growing number of a shard's primaries: to be primary is a compare-and-set of it in the store.
using Epoch = StrongInt<struct EpochTag, std::uint64_t>;
/// Number of a published shard map.
using MapVersion = StrongInt<struct MapVersionTag, std::uint64_t>;
/// Tables of one group share bucket ownership.
using GroupId = StrongInt<struct GroupTag, std::uint32_t>;
/// `hash & 65535` of a shard key.
using Bucket = StrongInt<struct BucketTag, std::uint16_t>;
/// PostgreSQL's object identifier.
using Oid = std::uint32_t;
/// The first that is not fixed by PostgreSQL's own catalog: what users make has another OID on each server, and the binary form
/// of rows and arrays names it.
inline constexpr Oid kFirstUserOid = 16384;

/// A position in the write-ahead log, in bytes. Prints as PostgreSQL does: `0/3000148`.
using Lsn = StrongInt<struct LsnTag, std::uint64_t>;

std::string to_string(Lsn lsn);
/// Reads `X/X`; false if `text` is something else.
bool parse_lsn(const std::string& text, Lsn& lsn);

}  // namespace pgmosaic

template <class Tag, class Rep>
struct std::hash<pgmosaic::StrongInt<Tag, Rep>> {
    std::size_t operator()(pgmosaic::StrongInt<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value); }
};

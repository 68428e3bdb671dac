#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/ids.h"
#include "shardmap/key_types.h"

namespace pgmosaic::shardmap {

/// PostgreSQL's HASH_PARTITION_SEED: in SQL, `hash_record_extended(ROW(key), 8816678312871386365) & 65535` is the bucket.
inline constexpr std::uint64_t kPartitionSeed = 0x7A5B22367996DCFD;
inline constexpr std::size_t kBucketCount = 65536;

constexpr Bucket bucket_of_hash(std::uint64_t hash) { return Bucket{static_cast<std::uint16_t>(hash & 65535)}; }

/// The extended hash with the partition seed of a value in PostgreSQL's binary format; nullopt if the type cannot be a key or
/// the bytes are not such a value.
///
/// Source  PostgreSQL 15: hash_bytes_extended, hashint8extended, hash_numeric_extended, hash_record_extended (a record of
///         one column hashes as that column); the component test compares them on random values of every type
std::optional<std::uint64_t> extended_hash(Oid key_type, std::string_view binary_value);

/// The bucket of any smallint, integer or bigint.
Bucket bucket_of_integer(std::int64_t value);

/// The bucket of a value written as text, as an untyped literal or a text-format parameter of the key's own type.
///
/// nullopt unless `text` is in a form that every server reads alike, whatever its settings, and that a column of this type and
/// modifier stores unchanged: integers and decimals without blanks, sign +, leading zeros or exponent; dates as
/// `2024-02-29`; timestamps as `2024-02-29 23:59:59.999999`, timestamptz with its offset (`+01`, `-03:30`, `Z`); uuid as
/// 8-4-4-4-12; bytea as `\x…`; text as it is, in the servers' encoding. An integer may lie outside of a narrower key type:
/// every shard gives the same answer to it.
inline std::optional<Bucket> bucket_of_text(Oid key_type, std::string_view text, std::int32_t typmod = -1);

/// The bucket of a binary parameter. `value_type` may differ from the key's within the integers and within text/varchar; 0
/// (not declared) counts as the key's own type. nullopt as above.
inline std::optional<Bucket> bucket_of_binary(Oid key_type, Oid value_type, std::string_view bytes, std::int32_t typmod = -1);

// ---------------------------------------------------------------- integers are nearly all keys: they take a short way

namespace detail {
bool read_integer(std::string_view text, std::int64_t& value);
bool read_integer(Oid type, std::string_view bytes, std::int64_t& value);
std::optional<Bucket> bucket_of_other_text(Oid key_type, std::string_view text, std::int32_t typmod);
std::optional<Bucket> bucket_of_other_binary(Oid key_type, Oid value_type, std::string_view bytes, std::int32_t typmod);
constexpr bool is_integer(Oid type) { return type == kInt8Oid || type == kInt4Oid || type == kInt2Oid; }
}  // namespace detail

std::optional<Bucket> bucket_of_text(Oid key_type, std::string_view text, std::int32_t typmod) {
    if (!detail::is_integer(key_type)) return detail::bucket_of_other_text(key_type, text, typmod);
    std::int64_t value = 0;
    if (!detail::read_integer(text, value)) return std::nullopt;
    return bucket_of_integer(value);
}

std::optional<Bucket> bucket_of_binary(Oid key_type, Oid value_type, std::string_view bytes, std::int32_t typmod) {
    if (!detail::is_integer(key_type)) return detail::bucket_of_other_binary(key_type, value_type, bytes, typmod);
    std::int64_t value = 0;
    if (!detail::read_integer(value_type == 0 ? key_type : value_type, bytes, value)) return std::nullopt;
    return bucket_of_integer(value);
}

}  // namespace pgmosaic::shardmap

#pragma once

#include <cstdint>
#include <string_view>

namespace pgmosaic::shardmap {

/// Bob Jenkins's 2006 hash (lookup3, public domain) as PostgreSQL seeds it: 64 bits out, little-endian words in.
std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed);

/// The same over the four bytes of one word.
std::uint64_t hash_word(std::uint32_t word, std::uint64_t seed);

/// smallint, integer and bigint: the upper half is folded into the lower so that equal numbers of different width agree.
std::uint64_t hash_integer(std::int64_t value, std::uint64_t seed);

}  // namespace pgmosaic::shardmap

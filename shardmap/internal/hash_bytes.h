#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace pgmosaic::shardmap {

/// The state of Bob Jenkins's 2006 hash (lookup3, public domain). Constant expressions where they can be: the seed of
/// partitions and the length of an integer never change, so the compiler does their round in advance.
struct Lanes {
    std::uint32_t a;
    std::uint32_t b;
    std::uint32_t c;

    /// 0x9e3779b9 is the golden ratio of the algorithm, 3923095 what PostgreSQL adds to it.
    static constexpr Lanes seeded(std::size_t length, std::uint64_t seed) {
        const std::uint32_t start = 0x9e3779b9U + static_cast<std::uint32_t>(length) + 3923095U;
        Lanes lanes{start, start, start};
        if (seed != 0) {
            lanes.a += static_cast<std::uint32_t>(seed >> 32);
            lanes.b += static_cast<std::uint32_t>(seed);
            lanes.mix();
        }
        return lanes;
    }

    constexpr void mix() {
        a = (a - c) ^ std::rotl(c, 4), c += b;
        b = (b - a) ^ std::rotl(a, 6), a += c;
        c = (c - b) ^ std::rotl(b, 8), b += a;
        a = (a - c) ^ std::rotl(c, 16), c += b;
        b = (b - a) ^ std::rotl(a, 19), a += c;
        c = (c - b) ^ std::rotl(b, 4), b += a;
    }

    constexpr std::uint64_t finish() {
        c = (c ^ b) - std::rotl(b, 14);
        a = (a ^ c) - std::rotl(c, 11);
        b = (b ^ a) - std::rotl(a, 25);
        c = (c ^ b) - std::rotl(b, 16);
        a = (a ^ c) - std::rotl(c, 4);
        b = (b ^ a) - std::rotl(a, 14);
        c = (c ^ b) - std::rotl(b, 24);
        return (std::uint64_t{b} << 32) | c;
    }
};

/// The hash of a string of bytes as PostgreSQL seeds it: 64 bits out.
std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed);

/// smallint, integer and bigint: the upper half is folded into the lower so that equal numbers of different width agree.
template <std::uint64_t seed>
constexpr std::uint64_t hash_integer(std::int64_t value) {
    constexpr Lanes kStart = Lanes::seeded(sizeof(std::uint32_t), seed);
    const auto low = static_cast<std::uint32_t>(value);
    const auto high = static_cast<std::uint32_t>(static_cast<std::uint64_t>(value) >> 32);
    Lanes lanes = kStart;
    lanes.a += low ^ (value >= 0 ? high : ~high);
    return lanes.finish();
}

}  // namespace pgmosaic::shardmap

#include "shardmap/internal/hash_bytes.h"

#include <bit>
#include <cstring>

namespace pgmosaic::shardmap {

namespace {

static_assert(std::endian::native == std::endian::little, "words are loaded as they lie in memory");

struct Lanes {
    std::uint32_t a;
    std::uint32_t b;
    std::uint32_t c;

    void mix() {
        a = (a - c) ^ std::rotl(c, 4), c += b;
        b = (b - a) ^ std::rotl(a, 6), a += c;
        c = (c - b) ^ std::rotl(b, 8), b += a;
        a = (a - c) ^ std::rotl(c, 16), c += b;
        b = (b - a) ^ std::rotl(a, 19), a += c;
        c = (c - b) ^ std::rotl(b, 4), b += a;
    }

    void finish() {
        c = (c ^ b) - std::rotl(b, 14);
        a = (a ^ c) - std::rotl(c, 11);
        b = (b ^ a) - std::rotl(a, 25);
        c = (c ^ b) - std::rotl(b, 16);
        a = (a ^ c) - std::rotl(c, 4);
        b = (b ^ a) - std::rotl(a, 14);
        c = (c ^ b) - std::rotl(b, 24);
    }

    std::uint64_t value() const { return (std::uint64_t{b} << 32) | c; }
};

// 0x9e3779b9 is the golden ratio of the algorithm, 3923095 what PostgreSQL adds to it.
Lanes seeded(std::size_t length, std::uint64_t seed) {
    const std::uint32_t start = 0x9e3779b9U + static_cast<std::uint32_t>(length) + 3923095U;
    Lanes lanes{start, start, start};
    if (seed != 0) {
        lanes.a += static_cast<std::uint32_t>(seed >> 32);
        lanes.b += static_cast<std::uint32_t>(seed);
        lanes.mix();
    }
    return lanes;
}

std::uint32_t load(const char* from) {
    std::uint32_t word = 0;
    std::memcpy(&word, from, sizeof word);
    return word;
}

// The last 0-11 bytes. The lowest byte of c stands for the length, so bytes 8-10 sit one place higher.
void add_tail(Lanes& lanes, std::string_view tail) {
    std::uint32_t words[3] = {0, 0, 0};
    std::memcpy(words, tail.data(), tail.size());
    lanes.a += words[0];
    lanes.b += words[1];
    lanes.c += words[2] << 8;
}

}  // namespace

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) {
    Lanes lanes = seeded(bytes.size(), seed);
    while (bytes.size() >= 12) {
        lanes.a += load(bytes.data());
        lanes.b += load(bytes.data() + 4);
        lanes.c += load(bytes.data() + 8);
        lanes.mix();
        bytes.remove_prefix(12);
    }
    if (!bytes.empty()) add_tail(lanes, bytes);
    lanes.finish();
    return lanes.value();
}

std::uint64_t hash_word(std::uint32_t word, std::uint64_t seed) {
    Lanes lanes = seeded(sizeof word, seed);
    lanes.a += word;
    lanes.finish();
    return lanes.value();
}

std::uint64_t hash_integer(std::int64_t value, std::uint64_t seed) {
    const auto low = static_cast<std::uint32_t>(value);
    const auto high = static_cast<std::uint32_t>(static_cast<std::uint64_t>(value) >> 32);
    return hash_word(low ^ (value >= 0 ? high : ~high), seed);
}

}  // namespace pgmosaic::shardmap

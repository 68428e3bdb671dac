#include "shardmap/internal/hash_bytes.h"

#include <cstring>

namespace pgmosaic::shardmap {

namespace {

static_assert(std::endian::native == std::endian::little, "words are loaded as they lie in memory");

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
    Lanes lanes = Lanes::seeded(bytes.size(), seed);
    while (bytes.size() >= 12) {
        lanes.a += load(bytes.data());
        lanes.b += load(bytes.data() + 4);
        lanes.c += load(bytes.data() + 8);
        lanes.mix();
        bytes.remove_prefix(12);
    }
    if (!bytes.empty()) add_tail(lanes, bytes);
    return lanes.finish();
}

}  // namespace pgmosaic::shardmap

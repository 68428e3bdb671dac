#include "cli/internal/random.h"

namespace pgmosaic::cli {

Random::Random(std::initializer_list<std::uint64_t> seeds) {
    for (const std::uint64_t seed : seeds) {
        state_ ^= seed;
        state_ = bits();
    }
}

std::uint64_t Random::bits() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t value = state_;
    value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
    value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
    return value ^ (value >> 31U);
}

std::int64_t Random::between(std::int64_t low, std::int64_t high) {
    const auto range = static_cast<std::uint64_t>(high - low) + 1;
    return low + static_cast<std::int64_t>(bits() % range);
}

double Random::fraction() { return static_cast<double>(bits() >> 11U) * 0x1.0p-53; }

}  // namespace pgmosaic::cli

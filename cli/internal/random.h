#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

namespace pgmosaic::cli {

/// Random numbers that are the same on every machine and with every library: splitmix64, seeded with what the value is
/// for, so that any row can be made without the ones before it.
class Random {
   public:
    explicit Random(std::initializer_list<std::uint64_t> seeds);

    std::uint64_t bits();
    /// From `low` to `high`, both included.
    std::int64_t between(std::int64_t low, std::int64_t high);
    /// 0 ≤ x < 1.
    double fraction();
    bool chance(double probability) { return fraction() < probability; }

    template <class T>
    const T& pick(std::span<const T> values) {
        return values[static_cast<std::size_t>(between(0, static_cast<std::int64_t>(values.size()) - 1))];
    }

   private:
    std::uint64_t state_ = 0;
};

}  // namespace pgmosaic::cli

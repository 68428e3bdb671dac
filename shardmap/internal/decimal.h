#pragma once

#include <boost/container/small_vector.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pgmosaic::shardmap {

/// A numeric as PostgreSQL hashes it: digits of base 10000 without zeros at either end, and the weight of the first one.
/// The sign is not part of the hash.
struct Decimal {
    boost::container::small_vector<std::int16_t, 32> digits{};
    int weight = 0;
    int fraction_digits = 0;  ///< decimal digits behind the point, without trailing zeros
    bool special = false;     ///< NaN or infinite

    std::uint64_t hash(std::uint64_t seed) const;
};

/// `-12.50`, `NaN`, `Infinity`, `-Infinity`; nullopt for other spellings and for more than a thousand characters.
std::optional<Decimal> decimal_of_text(std::string_view text);

/// numeric_send's format: four words (digits, weight, sign, display scale), then the digits, all big-endian 16 bit.
std::optional<Decimal> decimal_of_binary(std::string_view bytes);

}  // namespace pgmosaic::shardmap

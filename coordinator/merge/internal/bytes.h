#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

namespace pgmosaic::merge {

/// Integers in network order, as the protocol and PostgreSQL's binary formats have them.
template <class Int>
Int load(const char* at) {
    using Unsigned = std::make_unsigned_t<Int>;
    Unsigned value;
    std::memcpy(&value, at, sizeof value);
    if constexpr (std::endian::native == std::endian::little) {
        if constexpr (sizeof value == 2) value = __builtin_bswap16(value);
        if constexpr (sizeof value == 4) value = __builtin_bswap32(value);
        if constexpr (sizeof value == 8) value = __builtin_bswap64(value);
    }
    return static_cast<Int>(value);
}

template <class Int>
void store(Int value, char* at) {
    auto swapped = load<Int>(reinterpret_cast<const char*>(&value));
    std::memcpy(at, &swapped, sizeof swapped);
}

template <class Int>
void append(Int value, std::string& out) {
    char bytes[sizeof value];
    store(value, bytes);
    out.append(bytes, sizeof value);
}

}  // namespace pgmosaic::merge

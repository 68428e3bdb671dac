#include "base/ids.h"

#include <cstdio>

namespace pgmosaic {

std::string to_string(Lsn lsn) {
    char text[32];
    std::snprintf(text, sizeof text, "%X/%X", static_cast<unsigned>(lsn.value >> 32),
                  static_cast<unsigned>(lsn.value & 0xFFFFFFFFU));
    return text;
}

bool parse_lsn(const std::string& text, Lsn& lsn) {
    unsigned high = 0;
    unsigned low = 0;
    int used = 0;
    if (std::sscanf(text.c_str(), "%8X/%8X%n", &high, &low, &used) != 2) return false;
    if (static_cast<std::size_t>(used) != text.size()) return false;
    lsn.value = (std::uint64_t{high} << 32) | low;
    return true;
}

}  // namespace pgmosaic

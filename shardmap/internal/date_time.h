#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace pgmosaic::shardmap {

/// Days since 2000-01-01 of `YYYY-MM-DD`, `infinity` or `-infinity`: the value of a date. Years 0001 to 9999.
std::optional<std::int32_t> parse_date(std::string_view text);

/// Microseconds since 2000-01-01 00:00 of `YYYY-MM-DD[( |T)HH:MM:SS[.ffffff]]` or an infinity: the value of a timestamp.
std::optional<std::int64_t> parse_timestamp(std::string_view text);

/// The same in UTC, of a date and time with an offset: `Z` or `±HH[:MM[:SS]]`.
std::optional<std::int64_t> parse_timestamptz(std::string_view text);

}  // namespace pgmosaic::shardmap

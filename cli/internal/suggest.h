#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pgmosaic::cli {

/// Insertions, deletions, replacements and swaps of neighbours that make `b` out of `a`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` was probably meant to be; empty: none is near enough.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace pgmosaic::cli

#pragma once

#include <string_view>

namespace pgmosaic::planner {

/// What a plan must know of a function of pg_catalog.
struct BuiltinFunction {
    std::string_view name;
    char volatility = 'i';  ///< pg_proc.provolatile of its most volatile overload
    unsigned char flags = 0;

    constexpr bool aggregate() const { return (flags & 1) != 0; }
    constexpr bool window() const { return (flags & 2) != 0; }
    constexpr bool set_returning() const { return (flags & 4) != 0; }
};

/// Null for a function that is immutable, scalar and neither aggregate nor window function, or that does not exist.
const BuiltinFunction* find_builtin(std::string_view name);

}  // namespace pgmosaic::planner

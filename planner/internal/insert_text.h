#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/plan.h"

namespace pgmosaic::planner {

/// INSERT … VALUES cut into its parts, so that it can be written again with other rows.
struct InsertText {
    /// One value of a row: its text as it stood, or the number of the fill that takes its place.
    struct Item {
        std::string text{};
        std::optional<std::size_t> fill{};
    };

    std::string head{};        ///< WITH … INSERT INTO t AS x
    std::string overriding{};  ///< "", OVERRIDING SYSTEM VALUE, OVERRIDING USER VALUE
    std::vector<std::string> columns{};
    std::vector<std::vector<Item>> rows{};
    std::string tail{};        ///< ON CONFLICT … RETURNING …
};

/// Cuts `text` (one INSERT). Columns and their list are left out: the caller knows them. nullopt if it cannot be cut.
std::optional<InsertText> cut_insert(std::string_view text);

}  // namespace pgmosaic::planner

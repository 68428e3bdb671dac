#pragma once

#include <pg_query.pb.h>

#include <string_view>
#include <vector>

#include "planner/internal/lexer.h"
#include "planner/plan.h"
#include "planner/planner.h"

namespace pgmosaic::planner {

/// What is known while one text is planned.
struct PlanContext {
    std::string_view sql;              ///< the whole query string
    const Environment& environment;
    const Catalog& catalog;
    const std::vector<Token>& literals;  ///< the literals of `sql` in order; a ValueRef's index points into it
    bool in_view = false;              ///< constants met now are of a view's definition, not of the text

    bool exact_literals = false;       ///< the plan holds for the very literals of this text only

    /// Literals that were treated as key values so far, with the key's type: their own text does not matter, its form does.
    struct KeySlot { std::uint32_t literal = 0; Oid type = 0; std::int32_t typmod = -1; };
    std::vector<KeySlot> key_slots{};

    /// A constant or parameter, also below a cast to a built-in type and below a unary minus; nullopt for all else and NULL.
    std::optional<ValueRef> value_of(const pg_query::Node& expression) const;
    /// The literal's value as it stands in the text (or in the ValueRef).
    Literal literal_of(const ValueRef& value) const;
    const Table* find_table(const pg_query::RangeVar& relation) const;
};

}  // namespace pgmosaic::planner

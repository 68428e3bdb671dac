#pragma once

#include <pg_query.pb.h>

#include <string_view>
#include <vector>

#include "planner/internal/lexer.h"
#include "planner/plan.h"
#include "planner/planner.h"
#include "shardmap/key_types.h"

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

    /// Literals that decided something, for example by not being a value of the key's type: they belong to the plan.
    std::vector<std::uint32_t> consulted{};

    /// A constant or parameter, also below a cast to a built-in type and below a unary minus; nullopt for all else and NULL.
    std::optional<ValueRef> value_of(const pg_query::Node& expression) const;
    /// The same, if casts leave a value of that family as it is written: what an equality with a key of the family compares.
    std::optional<ValueRef> key_value_of(const pg_query::Node& expression, shardmap::KeyFamily family) const;
    /// The literal's value as it stands in the text (or in the ValueRef).
    Literal literal_of(const ValueRef& value) const;
    const Table* find_table(const pg_query::RangeVar& relation) const;

   private:
    std::optional<ValueRef> plain_value(const pg_query::Node& expression) const;
    std::optional<std::uint32_t> literal_at(int location, const Literal& value) const;
};

/// The family of a constant or parameter in a target list, where nothing else gives it a type: 5, 'x', $1::bigint.
std::optional<shardmap::KeyFamily> constant_family(const pg_query::Node& expression);

/// True if the literal names one value of the key's type whatever the session's settings, so that it can be hashed here.
bool canonical_key(const Literal& literal, Oid type, std::int32_t typmod);

}  // namespace pgmosaic::planner

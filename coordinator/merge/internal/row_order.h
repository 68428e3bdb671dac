#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "coordinator/merge/internal/numeric.h"
#include "coordinator/merge/internal/row.h"
#include "coordinator/merge/internal/value_order.h"
#include "planner/plan.h"

namespace pgmosaic::merge {

/// The first key of a row in 66 bits: NULLS FIRST, value or NULLS LAST, then the value's prefix.
/// Most comparisons end here.
using Rank = Uint128;

/// After every row.
inline constexpr Rank kEnd = Rank{3} << 64;

/// ORDER BY.
class RowOrder {
 public:
    explicit RowOrder(std::span<const planner::SortKey> keys);

    /// `at(column)` gives the Value of a column of the row.
    template <class At>
    Rank rank(const At& at) const {
        return keys_.empty() ? 0 : keys_.front().rank(at(keys_.front().column));
    }
    /// Of rows whose ranks are equal.
    template <class At>
    int compare_ties(const At& left, const At& right) const {
        for (std::size_t i = first_open_; i < keys_.size(); ++i) {
            int order = keys_[i].compare(left(keys_[i].column), right(keys_[i].column));
            if (order != 0) return order;
        }
        return 0;
    }

 private:
    struct Key {
        std::uint16_t column = 0;
        bool descending = false;
        bool nulls_first = false;
        ValueOrder order;

        Rank rank(const Value& value) const;
        int compare(const Value& left, const Value& right) const;
    };

    std::vector<Key> keys_;
    std::size_t first_open_ = 0;  // 1 if the rank says all about the first key
};

}  // namespace pgmosaic::merge

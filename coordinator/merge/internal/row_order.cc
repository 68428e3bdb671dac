#include "coordinator/merge/internal/row_order.h"

namespace pgmosaic::merge {

RowOrder::RowOrder(std::span<const planner::SortKey> keys) {
    for (const planner::SortKey& key : keys) {
        keys_.push_back(
            {key.column, key.descending, key.nulls_first, ValueOrder::make(key.type, key.locale)});
    }
    if (!keys_.empty() && keys_.front().order.prefix_is_exact()) first_open_ = 1;
}

Rank RowOrder::Key::rank(const Value& value) const {
    if (!value) return Rank{nulls_first ? 0U : 2U} << 64;
    std::uint64_t prefix = order.prefix(*value);
    return Rank{1} << 64 | (descending ? ~prefix : prefix);
}

int RowOrder::Key::compare(const Value& left, const Value& right) const {
    if (!left || !right) {
        if (!left && !right) return 0;
        return left.has_value() == nulls_first ? 1 : -1;
    }
    int result = order.compare(*left, *right);
    return descending ? -result : result;
}

}  // namespace pgmosaic::merge

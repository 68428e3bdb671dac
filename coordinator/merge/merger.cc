#include "coordinator/merge/merger.h"

#include <algorithm>

#include "base/error.h"
#include "coordinator/merge/internal/aggregate.h"
#include "coordinator/merge/internal/concatenate.h"
#include "coordinator/merge/internal/sorted.h"

namespace pgmosaic::merge {
namespace {

using planner::MergeSpec;

void check_window(std::optional<std::int64_t> limit, std::optional<std::int64_t> offset) {
    if (limit && *limit < 0) {
        throw PgError(Error{.code = sqlstate::kInvalidRowCountInLimit,
                            .message = "LIMIT must not be negative"});
    }
    if (offset && *offset < 0) {
        throw PgError(Error{.code = sqlstate::kInvalidRowCountInOffset,
                            .message = "OFFSET must not be negative"});
    }
}

// A plan of ours that names a column that its rows do not have: our own bug, but no reason to end
// the process.
[[noreturn]] void broken_plan() {
    throw PgError(Error{.code = sqlstate::kInternalError, .message = "invalid merge in a plan"});
}

void check_columns(const MergeSpec& spec, std::size_t formats) {
    std::size_t columns = std::size_t{spec.visible} + spec.hidden;
    auto hidden = [&](const planner::SortKey& key) {
        return key.column >= spec.visible && key.column < columns;
    };
    if (formats != spec.visible ||
        !std::all_of(spec.order_by.begin(), spec.order_by.end(), hidden) ||
        !std::all_of(spec.group_by.begin(), spec.group_by.end(), hidden)) {
        broken_plan();
    }
    if (spec.mode != MergeSpec::Mode::kAggregate) return;
    bool inputs_exist = std::all_of(
        spec.outputs.begin(), spec.outputs.end(),
        [&](const auto& output) { return output.input < columns && output.input2 < columns; });
    bool order_exists =
        std::all_of(spec.order_output.begin(), spec.order_output.end(),
                    [&](const auto& key) { return key.column < spec.outputs.size() + columns; });
    if (!inputs_exist || !order_exists || spec.outputs.size() != spec.visible) broken_plan();
}

}  // namespace

bool Merger::relays(const MergeSpec& spec, std::optional<std::int64_t> limit,
                    std::optional<std::int64_t> offset) {
    return spec.mode == MergeSpec::Mode::kConcatenate && spec.hidden == 0 && !limit &&
           offset.value_or(0) == 0;
}

std::unique_ptr<Merger> Merger::make(const MergeSpec& spec, std::size_t inputs,
                                     const std::vector<ColumnFormat>& visible,
                                     std::optional<std::int64_t> limit,
                                     std::optional<std::int64_t> offset) {
    check_window(limit, offset);
    check_columns(spec, visible.size());
    Window window(limit, offset);
    switch (spec.mode) {
        case MergeSpec::Mode::kConcatenate:
            return std::make_unique<Concatenate>(spec, inputs, window);
        case MergeSpec::Mode::kSorted:
            return std::make_unique<Sorted>(spec, inputs, window);
        case MergeSpec::Mode::kDistinct:
            if (spec.order_by.empty()) return std::make_unique<Concatenate>(spec, inputs, window);
            return std::make_unique<Sorted>(spec, inputs, window);
        case MergeSpec::Mode::kAggregate:
            return std::make_unique<Aggregate>(spec, inputs, visible, window);
    }
    broken_plan();
}

}  // namespace pgmosaic::merge

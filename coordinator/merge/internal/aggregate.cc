#include "coordinator/merge/internal/aggregate.h"

#include <algorithm>
#include <numeric>

namespace pgmosaic::merge {

Aggregate::Aggregate(const planner::MergeSpec& spec, std::size_t inputs,
                     const std::vector<ColumnFormat>& visible, Window window)
    : layout_{spec.visible, spec.hidden},
      window_(window),
      identity_(spec.group_by),
      grouped_(!spec.group_by.empty()),
      order_keys_(spec.order_output),
      open_inputs_(inputs) {
    for (std::size_t i = 0; i < spec.outputs.size(); ++i) {
        columns_.push_back(Accumulator::make(spec.outputs[i], visible[i].binary));
    }
    for (const planner::SortKey& key : order_keys_) {
        if (key.column < columns_.size()) continue;
        kept_.push_back({.column = static_cast<std::uint16_t>(key.column - columns_.size())});
    }
    if (!grouped_) add_group();  // one row, even of no shard
}

void Aggregate::add_group() {
    ++group_count_;
    for (auto& column : columns_) column->grow();
}

void Aggregate::row(std::size_t, std::string_view body) {
    if (window_.closed()) return;
    layout_.read(body, values_);
    std::uint32_t group = 0;
    if (grouped_) {
        identity_.write([&](std::uint16_t column) { return values_[column]; }, scratch_);
        auto found = groups_.find_or_add(scratch_);
        group = found.number;
        if (found.added) {
            add_group();
            for (KeptKey& key : kept_) {
                const Value& value = values_[key.column];
                key.values.push_back(value ? Value(key.arena.keep(*value)) : std::nullopt);
            }
        }
    }
    for (auto& column : columns_) column->add(group, values_);
}

void Aggregate::input_done(std::size_t) {
    --open_inputs_;
    if (open_inputs_ == 0 && !order_keys_.empty() && grouped_) sort_groups();
}

Value Aggregate::order_value(std::uint16_t column, std::uint32_t group,
                             std::string& scratch) const {
    if (column < columns_.size()) return columns_[column]->compared(group, scratch);
    auto key = std::find_if(kept_.begin(), kept_.end(), [&](const KeptKey& kept) {
        return kept.column + columns_.size() == column;
    });
    return key->values[group];
}

void Aggregate::sort_groups() {
    RowOrder row_order(order_keys_);
    struct At {
        const Aggregate* self;
        std::uint32_t group;
        std::string* scratch;
        Value operator()(std::uint16_t column) const {
            return self->order_value(column, group, *scratch);
        }
    };
    std::string left_scratch;
    std::string right_scratch;
    std::vector<Rank> ranks(group_count_);
    for (std::uint32_t group = 0; group < group_count_; ++group) {
        ranks[group] = row_order.rank(At{this, group, &left_scratch});
    }
    order_.resize(group_count_);
    std::iota(order_.begin(), order_.end(), 0U);
    auto needed = static_cast<std::ptrdiff_t>(window_.needed(group_count_));
    std::partial_sort(order_.begin(), order_.begin() + needed, order_.end(),
                      [&](std::uint32_t left, std::uint32_t right) {
                          if (ranks[left] != ranks[right]) return ranks[left] < ranks[right];
                          int order = row_order.compare_ties(At{this, left, &left_scratch},
                                                             At{this, right, &right_scratch});
                          return order != 0 ? order < 0 : left < right;
                      });
}

void Aggregate::drain(std::string& out, std::size_t bytes_max, std::uint64_t rows_max) {
    if (open_inputs_ > 0) return;
    std::size_t begin = out.size();
    for (std::uint64_t taken = 0; next_ < group_count_ && out.size() - begin < bytes_max &&
                                  taken < rows_max && !window_.closed();
         ++next_) {
        if (!window_.take()) continue;
        emit(order_.empty() ? static_cast<std::uint32_t>(next_) : order_[next_], out);
        ++taken;
        ++rows_;
    }
}

void Aggregate::emit(std::uint32_t group, std::string& out) {
    FrameWriter frame(static_cast<std::uint16_t>(columns_.size()), out);
    for (const auto& column : columns_) frame.value(column->shown(group, scratch_));
    frame.finish();
}

bool Aggregate::finished() const {
    return window_.closed() || (open_inputs_ == 0 && next_ == group_count_);
}

std::size_t Aggregate::buffered_bytes() const {
    std::size_t bytes = groups_.bytes() + order_.capacity() * sizeof(std::uint32_t);
    for (const auto& column : columns_) bytes += column->bytes();
    for (const KeptKey& key : kept_) {
        bytes += key.arena.bytes() + key.values.capacity() * sizeof(Value);
    }
    return bytes;
}

}  // namespace pgmosaic::merge

#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/merge/internal/accumulator.h"
#include "coordinator/merge/internal/key_table.h"
#include "coordinator/merge/internal/row_order.h"
#include "coordinator/merge/internal/window.h"
#include "coordinator/merge/merger.h"

namespace pgmosaic::merge {

/// Partial aggregates of the shards → one row per group, once all inputs are done.
///
/// Bound  all groups
class Aggregate final : public Merger {
 public:
    Aggregate(const planner::MergeSpec& spec, std::size_t inputs,
              const std::vector<ColumnFormat>& visible, Window window);

    bool wants(std::size_t) const override { return !window_.closed(); }
    void row(std::size_t input, std::string_view body) override;
    void input_done(std::size_t input) override;
    using Merger::drain;
    void drain(std::string& out, std::size_t bytes_max, std::uint64_t rows_max) override;
    bool finished() const override;
    std::uint64_t rows() const override { return rows_; }
    std::size_t buffered_bytes() const override;

 private:
    // A group key that ORDER BY names, kept in binary format for every group.
    struct KeptKey {
        std::uint16_t column = 0;
        Arena arena{};
        std::vector<Value> values{};
    };

    void add_group();
    void sort_groups();
    Value order_value(std::uint16_t column, std::uint32_t group, std::string& scratch) const;
    void emit(std::uint32_t group, std::string& out);

    RowLayout layout_;
    Window window_;
    RowIdentity identity_;
    bool grouped_;
    KeyTable groups_;
    std::size_t group_count_ = 0;
    std::vector<std::unique_ptr<Accumulator>> columns_;
    std::vector<planner::SortKey> order_keys_;
    std::vector<KeptKey> kept_;
    std::size_t open_inputs_;
    std::vector<Value> values_;
    std::string scratch_;
    std::vector<std::uint32_t> order_;  // groups as they are answered; empty: as they came
    std::size_t next_ = 0;
    std::uint64_t rows_ = 0;
};

}  // namespace pgmosaic::merge

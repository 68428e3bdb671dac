#pragma once

#include <optional>
#include <string>

#include "coordinator/merge/internal/key_table.h"
#include "coordinator/merge/internal/row.h"
#include "coordinator/merge/internal/window.h"
#include "coordinator/merge/merger.h"

namespace pgmosaic::merge {

/// Rows as they come: kConcatenate, and kDistinct without an order.
///
/// Bound  pending_bytes_max and what the caller had in memory already; for kDistinct all groups
class Concatenate final : public Merger {
 public:
    Concatenate(const planner::MergeSpec& spec, std::size_t inputs, Window window);

    bool wants(std::size_t input) const override;
    void row(std::size_t input, std::string_view body) override;
    void input_done(std::size_t input) override;
    using Merger::drain;
    void drain(std::string& out, std::size_t bytes_max, std::uint64_t rows_max) override;
    bool finished() const override;
    std::uint64_t rows() const override { return rows_; }
    std::size_t buffered_bytes() const override;

 private:
    RowLayout layout_;
    Window window_;
    std::optional<FirstOfGroup> filter_;
    std::size_t open_inputs_;
    std::string pending_;  // complete frames from `drained_` on
    std::size_t drained_ = 0;
    std::uint64_t rows_ = 0;
};

}  // namespace pgmosaic::merge

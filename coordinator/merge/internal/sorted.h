#pragma once

#include <optional>
#include <string>
#include <vector>

#include "coordinator/merge/internal/key_table.h"
#include "coordinator/merge/internal/row_order.h"
#include "coordinator/merge/internal/window.h"
#include "coordinator/merge/merger.h"

namespace pgmosaic::merge {

/// Rows of one input that wait for their turn, in the order in which they came.
class RowQueue {
 public:
    struct Row {
        Rank rank = 0;
        std::size_t begin = 0;  // of the body within `bytes_`
        std::uint32_t length = 0;
        std::uint32_t hidden = 0;  // where the hidden columns begin, from `begin`
    };

    void push(Rank rank, std::string_view body, std::size_t hidden_at);
    void pop() { ++next_; }
    bool empty() const { return next_ == rows_.size(); }
    const Row& front() const { return rows_[next_]; }
    const char* body(const Row& row) const { return bytes_.data() + row.begin; }
    std::size_t waiting_bytes() const { return empty() ? 0 : bytes_.size() - front().begin; }
    std::size_t capacity_bytes() const {
        return bytes_.capacity() + rows_.capacity() * sizeof(Row);
    }

 private:
    void forget_popped();

    std::string bytes_;
    std::vector<Row> rows_;
    std::size_t next_ = 0;
};

/// k sorted inputs → one, by a tree of losers: log2(k) comparisons a row, most of two integers.
///
/// Bound  input_bytes_max per input and what the caller had in memory already
class Sorted final : public Merger {
 public:
    Sorted(const planner::MergeSpec& spec, std::size_t inputs, Window window);

    bool wants(std::size_t input) const override;
    void row(std::size_t input, std::string_view body) override;
    void input_done(std::size_t input) override;
    using Merger::drain;
    void drain(std::string& out, std::size_t bytes_max, std::uint64_t rows_max) override;
    bool finished() const override { return finished_; }
    std::uint64_t rows() const override { return rows_; }
    std::size_t buffered_bytes() const override;

 private:
    struct Input {
        RowQueue queue{};
        bool done = false;
        bool starved() const { return queue.empty() && !done; }
    };

    bool less(std::size_t left, std::size_t right) const;
    void build();
    void replay();
    void load_rank(std::size_t input);
    bool emit(const RowQueue::Row& row, const RowQueue& queue, std::string& out);

    RowLayout layout_;
    RowOrder order_;
    Window window_;
    std::optional<FirstOfGroup> filter_;
    std::vector<Input> inputs_;
    std::vector<Rank> ranks_;  // of each input's first row
    std::vector<std::size_t>
        losers_;  // [0] is the winner; node i's children are 2i and 2i+1, leaves follow
    std::size_t starved_;
    bool built_ = false;
    bool winner_moved_ =
        false;  // the winner's input lost its row: replay before the next comparison
    bool finished_ = false;
    std::uint64_t rows_ = 0;
};

}  // namespace pgmosaic::merge

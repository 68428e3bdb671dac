#include "coordinator/merge/internal/sorted.h"

#include <utility>

namespace pgmosaic::merge {
namespace {

// Enough that a read of the socket is worth its system call, small beside a few hundred inputs.
constexpr std::size_t kInputBytesMax = 32 * 1024;

}  // namespace

void RowQueue::push(Rank rank, std::string_view body, std::size_t hidden_at) {
    if (next_ > 0) forget_popped();
    rows_.push_back({rank, bytes_.size(), static_cast<std::uint32_t>(body.size()),
                     static_cast<std::uint32_t>(hidden_at)});
    bytes_.append(body);
}

// Moves the rest to the front once the popped part is the larger one, so that each byte moves at
// most once.
void RowQueue::forget_popped() {
    if (empty()) {
        rows_.clear();
        bytes_.clear();
    } else if (next_ > rows_.size() / 2) {
        std::size_t begin = front().begin;
        bytes_.erase(0, begin);
        rows_.erase(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(next_));
        for (Row& row : rows_) row.begin -= begin;
    } else {
        return;
    }
    next_ = 0;
}

Sorted::Sorted(const planner::MergeSpec& spec, std::size_t inputs, Window window)
    : layout_{spec.visible, spec.hidden},
      order_(spec.order_by),
      window_(window),
      inputs_(inputs),
      ranks_(inputs, kEnd),
      losers_(inputs),
      starved_(inputs),
      finished_(window.closed() || inputs == 0) {
    if (spec.mode == planner::MergeSpec::Mode::kDistinct) filter_.emplace(spec);
}

bool Sorted::wants(std::size_t input) const {
    return !finished_ && inputs_[input].queue.waiting_bytes() < kInputBytesMax;
}

void Sorted::row(std::size_t input, std::string_view body) {
    if (finished_) return;
    std::size_t hidden_at = layout_.check(body);
    Rank rank = order_.rank([&](std::uint16_t column) {
        return value_after(body.data() + hidden_at, std::size_t{column} - layout_.visible);
    });
    if (inputs_[input].starved()) --starved_;
    inputs_[input].queue.push(rank, body, hidden_at);
}

void Sorted::input_done(std::size_t input) {
    if (inputs_[input].starved()) --starved_;
    inputs_[input].done = true;
}

void Sorted::drain(std::string& out, std::size_t bytes_max, std::uint64_t rows_max) {
    std::size_t begin = out.size();
    std::uint64_t rows_end = rows_max > ~rows_ ? ~std::uint64_t{0} : rows_ + rows_max;
    while (!finished_ && starved_ == 0 && out.size() - begin < bytes_max && rows_ < rows_end) {
        if (!built_) build();
        if (winner_moved_) replay();
        std::size_t winner = losers_[0];
        if (ranks_[winner] == kEnd) {
            finished_ = true;
            break;
        }
        RowQueue& queue = inputs_[winner].queue;
        if (emit(queue.front(), queue, out)) ++rows_;
        queue.pop();
        winner_moved_ = true;
        if (inputs_[winner].starved()) ++starved_;
        finished_ = window_.closed();
    }
}

bool Sorted::emit(const RowQueue::Row& row, const RowQueue& queue, std::string& out) {
    const char* body = queue.body(row);
    auto at = [&](std::uint16_t column) {
        return value_after(body + row.hidden, std::size_t{column} - layout_.visible);
    };
    if (filter_ && !filter_->passes(at)) return false;
    if (!window_.take()) return false;
    append_frame(layout_.visible, {body + kCountBytes, row.hidden - kCountBytes}, out);
    return true;
}

void Sorted::load_rank(std::size_t input) {
    const RowQueue& queue = inputs_[input].queue;
    ranks_[input] = queue.empty() ? kEnd : queue.front().rank;
}

// Equal rows come from the lower input first, so that the same shards give the same answer twice.
bool Sorted::less(std::size_t left, std::size_t right) const {
    if (ranks_[left] != ranks_[right]) return ranks_[left] < ranks_[right];
    if (ranks_[left] == kEnd) return left < right;
    struct At {
        const char* hidden;
        std::uint16_t visible;
        Value operator()(std::uint16_t column) const {
            return value_after(hidden, std::size_t{column} - visible);
        }
    };
    auto at = [this](std::size_t input) {
        const RowQueue& queue = inputs_[input].queue;
        return At{queue.body(queue.front()) + queue.front().hidden, layout_.visible};
    };
    int order = order_.compare_ties(at(left), at(right));
    return order != 0 ? order < 0 : left < right;
}

// Plays all matches from the leaves up; leaf i stands at node `inputs + i`.
void Sorted::build() {
    std::size_t count = inputs_.size();
    for (std::size_t input = 0; input < count; ++input) load_rank(input);
    std::vector<std::size_t> winners(2 * count);
    for (std::size_t input = 0; input < count; ++input) winners[count + input] = input;
    for (std::size_t node = count - 1; node > 0; --node) {
        std::size_t left = winners[2 * node];
        std::size_t right = winners[2 * node + 1];
        bool left_wins = less(left, right);
        winners[node] = left_wins ? left : right;
        losers_[node] = left_wins ? right : left;
    }
    losers_[0] = winners[1];
    built_ = true;
}

void Sorted::replay() {
    std::size_t winner = losers_[0];
    load_rank(winner);
    for (std::size_t node = (inputs_.size() + winner) / 2; node > 0; node /= 2) {
        if (less(losers_[node], winner)) std::swap(losers_[node], winner);
    }
    losers_[0] = winner;
    winner_moved_ = false;
}

std::size_t Sorted::buffered_bytes() const {
    std::size_t bytes = filter_ ? filter_->bytes() : 0;
    for (const Input& input : inputs_) bytes += input.queue.capacity_bytes();
    return bytes;
}

}  // namespace pgmosaic::merge

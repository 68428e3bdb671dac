#include "coordinator/merge/internal/concatenate.h"

#include "coordinator/merge/internal/bytes.h"

namespace pgmosaic::merge {
namespace {

constexpr std::size_t kPendingBytesMax = 64 * 1024;

}  // namespace

Concatenate::Concatenate(const planner::MergeSpec& spec, std::size_t inputs, Window window)
    : layout_{spec.visible, spec.hidden}, window_(window), open_inputs_(inputs) {
    if (spec.mode == planner::MergeSpec::Mode::kDistinct) filter_.emplace(spec);
}

bool Concatenate::wants(std::size_t) const {
    return !window_.closed() && pending_.size() - drained_ < kPendingBytesMax;
}

void Concatenate::row(std::size_t, std::string_view body) {
    if (window_.closed()) return;
    std::size_t hidden_at = layout_.check(body);
    auto at = [&](std::uint16_t column) {
        return value_after(body.data() + hidden_at, std::size_t{column} - layout_.visible);
    };
    if (filter_ && !filter_->passes(at)) return;
    if (!window_.take()) return;
    append_frame(layout_.visible, body.substr(kCountBytes, hidden_at - kCountBytes), pending_);
}

void Concatenate::input_done(std::size_t) {
    --open_inputs_;
}

void Concatenate::drain(std::string& out, std::size_t bytes_max, std::uint64_t rows_max) {
    std::size_t end = drained_;
    for (std::uint64_t taken = 0;
         end < pending_.size() && end - drained_ < bytes_max && taken < rows_max;
         ++taken, ++rows_) {
        end += 1 + load<std::uint32_t>(pending_.data() + end + 1);
    }
    if (out.empty() && drained_ == 0 && end == pending_.size()) {
        out.swap(pending_);
        return;
    }
    out.append(pending_, drained_, end - drained_);
    drained_ = end;
    if (drained_ < pending_.size()) return;
    pending_.clear();
    drained_ = 0;
}

bool Concatenate::finished() const {
    return (window_.closed() || open_inputs_ == 0) && drained_ == pending_.size();
}

std::size_t Concatenate::buffered_bytes() const {
    return pending_.capacity() + (filter_ ? filter_->bytes() : 0);
}

}  // namespace pgmosaic::merge

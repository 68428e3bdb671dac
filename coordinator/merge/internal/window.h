#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

namespace pgmosaic::merge {

/// LIMIT and OFFSET over rows that come one by one.
class Window {
 public:
    Window(std::optional<std::int64_t> limit, std::optional<std::int64_t> offset)
        : skip_(static_cast<std::uint64_t>(offset.value_or(0))),
          left_(limit ? static_cast<std::uint64_t>(*limit)
                      : std::numeric_limits<std::uint64_t>::max()) {}

    /// True if the next row belongs to the answer.
    bool take() {
        if (left_ == 0) return false;
        if (skip_ > 0) {
            --skip_;
            return false;
        }
        --left_;
        return true;
    }
    bool closed() const { return left_ == 0; }
    /// How many of the first `rows` rows can matter.
    std::uint64_t needed(std::uint64_t rows) const {
        return skip_ >= rows ? rows : skip_ + std::min(left_, rows - skip_);
    }

 private:
    std::uint64_t skip_;
    std::uint64_t left_;
};

}  // namespace pgmosaic::merge

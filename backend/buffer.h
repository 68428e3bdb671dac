#pragma once

#include <cstring>
#include <memory>
#include <string_view>

namespace pgmosaic::backend {

/// Bytes that were read and not yet used, in one piece. Gives its memory back when asked to while empty.
class Buffer {
   public:
    std::string_view unread() const { return {data_.get() + begin_, end_ - begin_}; }
    bool empty() const { return begin_ == end_; }
    void consume(std::size_t bytes) {
        begin_ += bytes;
        if (begin_ == end_) begin_ = end_ = 0;
    }

    /// Room for at least `bytes` more behind what is unread.
    char* reserve(std::size_t bytes) {
        if (capacity_ - end_ >= bytes) return data_.get() + end_;
        const std::size_t used = end_ - begin_;
        if (used + bytes <= capacity_) {
            std::memmove(data_.get(), data_.get() + begin_, used);
        } else {
            std::size_t larger = capacity_ == 0 ? kFirstBytes : capacity_ * 2;
            while (larger < used + bytes) larger *= 2;
            std::unique_ptr<char[]> fresh(new char[larger]);
            if (used > 0) std::memcpy(fresh.get(), data_.get() + begin_, used);
            data_ = std::move(fresh);
            capacity_ = larger;
        }
        begin_ = 0;
        end_ = used;
        return data_.get() + end_;
    }
    std::size_t room() const { return capacity_ - end_; }
    void added(std::size_t bytes) { end_ += bytes; }
    void release_if_empty() {
        if (!empty()) return;
        data_.reset();
        capacity_ = begin_ = end_ = 0;
    }

   private:
    static constexpr std::size_t kFirstBytes = 512;
    std::unique_ptr<char[]> data_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace pgmosaic::backend

#pragma once

#include <atomic>
#include <cstdint>

namespace pgmosaic::coordinator {

/// A WAL position that a shard's primary had flushed, and the epoch in which it had: what is written from now on in that
/// epoch is behind it. Serves several cores: one raises it, all read it.
class WalFloor {
   public:
    void raise(std::uint64_t epoch, std::uint64_t position) {
        if (epoch_.load(std::memory_order_relaxed) == epoch) {
            position_.store(position, std::memory_order_release);
            return;
        }
        epoch_.store(0, std::memory_order_release);
        position_.store(position, std::memory_order_release);
        epoch_.store(epoch, std::memory_order_release);
    }

    /// 0 if nothing is known of this epoch (yet).
    std::uint64_t at(std::uint64_t epoch) const {
        if (epoch_.load(std::memory_order_acquire) != epoch) return 0;
        const std::uint64_t position = position_.load(std::memory_order_acquire);
        return epoch_.load(std::memory_order_acquire) == epoch ? position : 0;
    }

   private:
    std::atomic<std::uint64_t> epoch_{0};
    std::atomic<std::uint64_t> position_{0};
};

}  // namespace pgmosaic::coordinator

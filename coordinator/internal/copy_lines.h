#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace pgmosaic::coordinator {

/// Which line of the client's file was which line of what one shard was sent, so that a shard's "COPY t, line 7" can be said
/// in the client's numbers.
///
/// Bound  the last `kRows` rows, 2 bytes each: what a shard still complains about is never far behind
class CopyLines {
   public:
    /// A row of `lines` lines that ends at line `client_line` of the client's file.
    void add(std::uint64_t client_line, std::uint32_t lines);
    /// nullopt: too long ago, or never sent.
    std::optional<std::uint64_t> find(std::uint64_t shard_line) const;
    /// No row was taken apart: what the shard got is the client's file as it came.
    bool empty() const { return blocks_.empty(); }

    static constexpr std::size_t kRows = std::size_t{1} << 20;

   private:
    static constexpr std::size_t kBlockRows = 4096;
    struct Block {
        std::uint64_t shard_before = 0;   ///< the last line before its first row
        std::uint64_t client_before = 0;
        std::size_t rows = 0;
        std::string deltas{};             ///< per row: lines on the shard, lines of the client since the row before; LEB128
    };
    std::deque<Block> blocks_;
    std::uint64_t shard_line_ = 0;
    std::uint64_t client_line_ = 0;
};

/// The CONTEXT of a COPY error with its line number in the client's counting, which is told apart if it cannot be found.
std::string with_client_line(const std::string& context, const CopyLines& lines);

}  // namespace pgmosaic::coordinator

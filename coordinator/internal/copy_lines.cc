#include "coordinator/internal/copy_lines.h"

#include <charconv>

namespace pgmosaic::coordinator {

namespace {

void put_number(std::string& out, std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) out += static_cast<char>(number | 0x80);
    out += static_cast<char>(number);
}

std::uint64_t take_number(const std::string& bytes, std::size_t& at) {
    std::uint64_t number = 0;
    for (int shift = 0;; shift += 7) {
        const auto byte = static_cast<unsigned char>(bytes[at++]);
        number |= std::uint64_t{byte & 0x7Fu} << shift;
        if (byte < 0x80) return number;
    }
}

}  // namespace

void CopyLines::add(std::uint64_t client_line, std::uint32_t lines) {
    if (blocks_.empty() || blocks_.back().rows == kBlockRows) {
        if (blocks_.size() == kRows / kBlockRows) blocks_.pop_front();
        blocks_.push_back({.shard_before = shard_line_, .client_before = client_line_});
    }
    Block& block = blocks_.back();
    put_number(block.deltas, lines);
    put_number(block.deltas, client_line - client_line_);
    ++block.rows;
    shard_line_ += lines;
    client_line_ = client_line;
}

std::optional<std::uint64_t> CopyLines::find(std::uint64_t shard_line) const {
    if (shard_line > shard_line_) return std::nullopt;
    for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block) {
        if (shard_line <= block->shard_before) continue;
        std::uint64_t shard = block->shard_before;
        std::uint64_t client = block->client_before;
        for (std::size_t at = 0; shard < shard_line;) {
            shard += take_number(block->deltas, at);
            client += take_number(block->deltas, at);
        }
        return client - (shard - shard_line);
    }
    return std::nullopt;
}

std::string with_client_line(const std::string& context, const CopyLines& lines) {
    if (lines.empty()) return context;
    static constexpr std::string_view kLine = ", line ";
    std::size_t copy = context.starts_with("COPY ") ? 0 : context.find("\nCOPY ");
    if (copy == std::string::npos) return context;
    const std::size_t at = context.find(kLine, copy);
    if (at == std::string::npos) return context;
    const char* digits = context.data() + at + kLine.size();
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits, context.data() + context.size(), number);
    if (error != std::errc{}) return context;
    const auto client = lines.find(number);
    if (!client) return context + "\nThe line is counted among those that went to this shard.";
    return context.substr(0, at + kLine.size()) + std::to_string(*client) + std::string(end, context.data() + context.size());
}

}  // namespace pgmosaic::coordinator

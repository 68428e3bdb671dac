#include "coordinator/merge/internal/key_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "coordinator/merge/internal/bytes.h"

namespace pgmosaic::merge {
namespace {

constexpr std::size_t kChunkBytes = 64 * 1024;

}  // namespace

std::string_view Arena::keep(std::string_view bytes) {
    if (bytes.size() > left_ || next_ == nullptr) {
        left_ = std::max(kChunkBytes, bytes.size());
        chunks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
        next_ = chunks_.back().get();
        bytes_ += left_;
    }
    std::memcpy(next_, bytes.data(), bytes.size());
    std::string_view kept(next_, bytes.size());
    next_ += bytes.size();
    left_ -= bytes.size();
    return kept;
}

RowIdentity::RowIdentity(std::span<const planner::SortKey> keys) {
    for (const planner::SortKey& key : keys) {
        // Equality of text is equality of bytes: a deterministic collation breaks ties by them.
        keys_.push_back({key.column, ValueOrder::make(key.type, {})});
    }
}

// Length before value, so that no two rows run into each other.
void RowIdentity::append(const ValueOrder& order, const Value& value, std::string& out) {
    constexpr std::int32_t kNull = -1;
    std::size_t begin = out.size();
    merge::append(kNull, out);
    if (!value) return;
    order.append_identity(*value, out);
    store(static_cast<std::int32_t>(out.size() - begin - sizeof kNull), out.data() + begin);
}

std::size_t KeyTable::Hash::operator()(std::string_view key) const noexcept {
    return XXH3_64bits(key.data(), key.size());
}

KeyTable::Found KeyTable::find_or_add(std::string_view identity) {
    auto found = numbers_.find(identity);
    if (found != numbers_.end()) return {found->second, false};
    auto number = static_cast<std::uint32_t>(numbers_.size());
    numbers_.emplace(arena_.keep(identity), number);
    return {number, true};
}

std::size_t KeyTable::bytes() const {
    using Entry = std::pair<std::string_view, std::uint32_t>;
    return arena_.bytes() + numbers_.bucket_count() * (sizeof(Entry) + 1);
}

namespace {

// True if the leading sort keys are the group's columns, in any order.
bool groups_are_adjacent(const planner::MergeSpec& spec) {
    if (spec.order_by.size() < spec.group_by.size()) return false;
    auto group = std::span(spec.group_by);
    auto leading = std::span(spec.order_by).first(group.size());
    return std::all_of(group.begin(), group.end(), [&](const planner::SortKey& key) {
        return std::any_of(leading.begin(), leading.end(), [&](const planner::SortKey& other) {
            return other.column == key.column;
        });
    });
}

}  // namespace

FirstOfGroup::FirstOfGroup(const planner::MergeSpec& spec)
    : identity_(spec.group_by), adjacent_(groups_are_adjacent(spec)) {}

}  // namespace pgmosaic::merge

// Rows that a shard may never send do not end the process: they are merged, or answered with an error.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/merge/merger.h"
#include "planner/merge_types.h"

namespace {

using namespace pgmosaic;
using namespace pgmosaic::merge;
namespace type = planner::type;

constexpr Oid kTypes[] = {type::kInt8, type::kInt4, type::kInt2, type::kText, type::kNumeric, type::kFloat8, type::kBool, type::kDate,
                          type::kTimestampTz, type::kUuid, type::kInterval, type::kBytea};
constexpr std::size_t kInputs = 3;

/// The input's bytes, one after the other; zeros when they are used up.
class Bytes {
   public:
    explicit Bytes(std::string_view data) : data_(data) {}
    std::uint8_t next() {
        if (data_.empty()) return 0;
        const auto byte = static_cast<std::uint8_t>(data_.front());
        data_.remove_prefix(1);
        return byte;
    }
    std::string_view take(std::size_t count) {
        const std::string_view head = data_.substr(0, count);
        data_.remove_prefix(head.size());
        return head;
    }
    bool empty() const { return data_.empty(); }

   private:
    std::string_view data_;
};

planner::MergeSpec spec_of(Bytes& bytes) {
    planner::MergeSpec spec;
    spec.mode = static_cast<planner::MergeSpec::Mode>(bytes.next() % 4);
    spec.visible = 1;
    spec.hidden = 1;
    const planner::SortKey key{.column = 1, .type = kTypes[bytes.next() % std::size(kTypes)], .descending = (bytes.next() & 1U) != 0,
                               .nulls_first = (bytes.next() & 1U) != 0};
    if (spec.mode == planner::MergeSpec::Mode::kSorted) spec.order_by = {key};
    if (spec.mode == planner::MergeSpec::Mode::kDistinct) spec.group_by = {key};
    if (spec.mode == planner::MergeSpec::Mode::kAggregate) {
        const auto combine = static_cast<planner::Combine>(bytes.next() % 10);
        spec.group_by = {key};
        spec.outputs = {{.combine = planner::Combine::kGroupKey},
                        {.combine = combine, .input = 1, .input2 = 1, .input_type = key.type, .output_type = key.type}};
    }
    return spec;
}

void merge_all(Bytes& bytes) {
    const planner::MergeSpec spec = spec_of(bytes);
    std::vector<ColumnFormat> visible{{type::kText, false}};
    if (!spec.outputs.empty()) visible.push_back({spec.outputs[1].output_type, (bytes.next() & 1U) != 0});
    const auto merger = Merger::make(spec, kInputs, visible, std::nullopt, std::nullopt);
    std::string out;
    while (!bytes.empty() && !merger->finished()) {
        const std::size_t input = bytes.next() % kInputs;
        const std::size_t length = bytes.next();
        if (!merger->wants(input)) break;
        merger->row(input, bytes.take(length));
        merger->drain(out, 1U << 16U);
        out.clear();
    }
    for (std::size_t input = 0; input < kInputs; ++input) merger->input_done(input);
    do {
        out.clear();
        merger->drain(out, 1U << 16U);
    } while (!out.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes bytes({reinterpret_cast<const char*>(data), size});
    try {
        merge_all(bytes);
    } catch (const PgError&) {
    }
    return 0;
}

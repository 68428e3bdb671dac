// What does a row cost that is merged in order, and one that is grouped?
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "coordinator/merge/merger.h"
#include "planner/merge_types.h"

namespace pgmosaic::merge {
namespace {

constexpr std::size_t kInputs = 4;
constexpr std::size_t kRowsPerInput = 50000;

void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xFFU);
}

void append_value(std::string& out, std::string_view value) {
    append_big_endian(out, value.size(), 4);
    out += value;
}

std::string binary_int8(std::uint64_t value) {
    std::string bytes;
    append_big_endian(bytes, value, 8);
    return bytes;
}

/// Visible: an int8 as text and 90 bytes of text; hidden: the int8 in binary.
std::string sorted_row(std::uint64_t key) {
    std::string body;
    append_big_endian(body, 3, 2);
    append_value(body, std::to_string(key));
    append_value(body, std::string(90, 'x'));
    append_value(body, binary_int8(key));
    return body;
}

std::vector<std::vector<std::string>> sorted_inputs() {
    std::vector<std::vector<std::string>> inputs(kInputs);
    for (std::size_t row = 0; row < kRowsPerInput; ++row) {
        for (std::size_t input = 0; input < kInputs; ++input) inputs[input].push_back(sorted_row(row * kInputs + input));
    }
    return inputs;
}

/// Feeds each input while the merger wants it; all output is thrown away.
void run(Merger& merger, const std::vector<std::vector<std::string>>& inputs) {
    std::vector<std::size_t> next(inputs.size());
    std::string out;
    bool left = true;
    while (left && !merger.finished()) {
        left = false;
        for (std::size_t input = 0; input < inputs.size(); ++input) {
            while (merger.wants(input) && next[input] < inputs[input].size()) {
                merger.row(input, inputs[input][next[input]]);
                if (++next[input] == inputs[input].size()) merger.input_done(input);
            }
            left = left || next[input] < inputs[input].size();
        }
        merger.drain(out, std::size_t{1} << 20U);
        out.clear();
    }
    for (std::size_t before = 1; before != 0 && !merger.finished();) {
        merger.drain(out, std::size_t{1} << 20U);
        before = out.size();
        out.clear();
    }
    benchmark::DoNotOptimize(merger.rows());
}

void merge_by_int8(benchmark::State& state) {
    const auto inputs = sorted_inputs();
    planner::MergeSpec spec;
    spec.mode = planner::MergeSpec::Mode::kSorted;
    spec.visible = 2;
    spec.hidden = 1;
    spec.order_by = {{.column = 2, .type = planner::type::kInt8}};
    for (auto _ : state) {
        const auto merger = Merger::make(spec, kInputs, {{planner::type::kInt8, false}, {planner::type::kText, false}},
                                         std::nullopt, std::nullopt);
        run(*merger, inputs);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kInputs * kRowsPerInput));
}
BENCHMARK(merge_by_int8)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace pgmosaic::merge

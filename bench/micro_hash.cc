// How long does it take to find the bucket of a shard key?
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "shardmap/hash.h"

namespace pgmosaic::shardmap {
namespace {

void bucket_of_text_key(benchmark::State& state, Oid type, const std::vector<std::string>& values) {
    std::size_t next = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(bucket_of_text(type, values[next]));
        next = (next + 1) % values.size();
    }
}

BENCHMARK_CAPTURE(bucket_of_text_key, integer, kInt4Oid, {"1", "42", "100000", "-7", "2147483647"});
BENCHMARK_CAPTURE(bucket_of_text_key, bigint, kInt8Oid, {"1", "9223372036854775807", "-12345678901234"});
BENCHMARK_CAPTURE(bucket_of_text_key, text, kTextOid, {"a", "customer4711@example.org", "Øystein"});
BENCHMARK_CAPTURE(bucket_of_text_key, uuid, kUuidOid, {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"});
BENCHMARK_CAPTURE(bucket_of_text_key, numeric, kNumericOid, {"1.5", "123456789.123456789"});
BENCHMARK_CAPTURE(bucket_of_text_key, date, kDateOid, {"2024-02-29"});
BENCHMARK_CAPTURE(bucket_of_text_key, timestamptz, kTimestamptzOid, {"2024-02-29 12:00:00.5+01"});

void bucket_of_binary_integer(benchmark::State& state) {
    const std::string value("\0\0\x12\x34", 4);
    for (auto _ : state) benchmark::DoNotOptimize(bucket_of_binary(kInt4Oid, kInt4Oid, value));
}
BENCHMARK(bucket_of_binary_integer);

}  // namespace
}  // namespace pgmosaic::shardmap

// How long does it take to plan a statement whose text, but for its literals, has been seen before? Goal: ≤ 1 µs.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "planner/planner.h"

namespace pgmosaic::planner {
namespace {

constexpr const char* kDocument = R"({"tables": [{"oid": 16400, "schema": "public", "name": "accounts", "kind": "r",
  "columns": [[1, "aid", 23, -1, 0, "integer", true, false, null, null], [2, "abalance", 23, -1, 0, "integer", false, false, null, null],
              [3, "filler", 25, -1, 100, "text", false, false, null, null]],
  "unique": [[1]], "placement": "s", "group": 1, "key": 1, "view": null}], "functions": []})";

Environment environment() {
    Environment made;
    auto catalog = Catalog::from_json(kDocument, 1);
    if (catalog.has_error()) throw PgError(catalog.error());
    made.catalog = *catalog;
    made.fingerprint = 1;
    return made;
}

/// Each text with another literal each time: only the first is a miss.
void plan_again(benchmark::State& state, const std::string& before, const std::string& after) {
    Planner planner;
    const Environment surroundings = environment();
    std::vector<std::string> texts;
    for (int i = 0; i < 64; ++i) texts.push_back(before + std::to_string(1000 + i * 7919) + after);
    Planned planned;
    std::size_t next = 0;
    for (auto _ : state) {
        planner.plan(texts[next], surroundings, planned);
        benchmark::DoNotOptimize(planned.text.get());
        next = (next + 1) % texts.size();
    }
    state.counters["misses"] = static_cast<double>(planner.misses());
}
BENCHMARK_CAPTURE(plan_again, point_select, "SELECT abalance FROM accounts WHERE aid = ", "");
BENCHMARK_CAPTURE(plan_again, point_update, "UPDATE accounts SET abalance = abalance + 5 WHERE aid = ", "");
BENCHMARK_CAPTURE(plan_again, scatter, "SELECT count(*), sum(abalance) FROM accounts WHERE abalance > ", " AND filler <> 'x'");

void plan_anew(benchmark::State& state) {
    Planner planner;
    const Environment surroundings = environment();
    Planned planned;
    std::uint64_t number = 0;
    for (auto _ : state) {
        // A new name each time is a new text for the cache.
        planner.plan("SELECT abalance AS a" + std::to_string(number++) + " FROM accounts WHERE aid = 5", surroundings, planned);
        benchmark::DoNotOptimize(planned.text.get());
    }
}
BENCHMARK(plan_anew);

}  // namespace
}  // namespace pgmosaic::planner

#include "planner/planner.h"

#include <cstring>

#include "planner/internal/plan_cache.h"
#include "planner/internal/plan_text.h"

namespace pgmosaic::planner {

namespace {

// Longer texts are bulk loads and the like: planned anew each time, they would only push others out.
constexpr std::size_t kCachedTextMax = 16 * 1024;

}  // namespace

struct Planner::State {
    explicit State(std::size_t entries_max) : cache(entries_max) {}

    PlanCache cache;
    std::string key;
    std::vector<Token> literals;
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
};

Planner::Planner(std::size_t entries_max) : state_(std::make_unique<State>(entries_max)) {}
Planner::~Planner() = default;

std::uint64_t Planner::hits() const { return state_->hits; }
std::uint64_t Planner::misses() const { return state_->misses; }

void Planner::plan(std::string_view sql, const Environment& environment, Planned& out) {
    State& state = *state_;
    state.key.assign(reinterpret_cast<const char*>(&environment.fingerprint), sizeof environment.fingerprint);
    const bool cut = cut_literals(sql, state.key, state.literals);
    if (!cut) state.literals.clear();
    out.literals.resize(state.literals.size());
    for (std::size_t i = 0; i < state.literals.size(); ++i) read_literal(sql, state.literals[i], out.literals[i]);
    const bool cached = cut && sql.size() <= kCachedTextMax;
    if (cached) {
        if (const auto* found = state.cache.find(state.key, sql, state.literals)) {
            ++state.hits;
            if (out.text != *found) out.text = *found;
            return;
        }
    }
    ++state.misses;
    PlanCache::Plan plan = plan_text(sql, environment, state.literals);
    out.text = plan.text;
    if (cached && !out.text->syntax_error) state.cache.put(state.key, std::move(plan));
}

}  // namespace pgmosaic::planner

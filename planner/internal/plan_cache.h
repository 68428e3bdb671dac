#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "planner/internal/context.h"
#include "planner/plan.h"

namespace pgmosaic::planner {

/// Plans by the text without its literals. A plan holds for texts whose fixed literals are the same to the letter and whose
/// key literals are in canonical form; all others are free.
///
/// Core   its planner's
/// Bound  `entries_max` plans, the least recently used go first; of one text without literals at most kVariantsMax
class PlanCache {
   public:
    /// A literal that belongs to the plan.
    struct Fixed { std::uint32_t literal = 0; std::string text{}; };
    struct Plan {
        std::shared_ptr<const PlannedText> text{};
        std::vector<Fixed> fixed{};
        std::vector<PlanContext::KeySlot> keys{};
    };

    explicit PlanCache(std::size_t entries_max) : entries_max_(entries_max) {}

    /// Null if there is none. Allocates nothing.
    const std::shared_ptr<const PlannedText>* find(const std::string& key, std::string_view sql, const std::vector<Token>& literals);
    void put(const std::string& key, Plan plan);

   private:
    struct Bucket;
    struct Entry { Plan plan; Bucket* bucket = nullptr; };
    using Entries = std::list<Entry>;
    struct Bucket { const std::string* key = nullptr; std::vector<Entries::iterator> entries{}; };
    struct Hash {
        std::size_t operator()(const std::string& key) const noexcept;
    };

    bool holds(const Plan& plan, std::string_view sql, const std::vector<Token>& literals);
    void evict(Entries::iterator entry);

    static constexpr std::size_t kVariantsMax = 32;

    std::size_t entries_max_;
    Entries recent_;  ///< most recently used first
    std::unordered_map<std::string, Bucket, Hash> buckets_;
    Literal scratch_;
};

}  // namespace pgmosaic::planner

// Plans of SELECTs proved by exhaustion: whichever of two shards owns which key, the plan gives the answer of one server.
//
// The default run proves a part of the forms and some random queries, on a few worlds of tiny data. PGM_LONG=1 proves all
// forms; PGM_SEED chooses other parts and other data.

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

#include "tests/component/query_generator.h"
#include "tests/component/split_checker.h"
#include "tests/component/statement_forms.h"

namespace pgmosaic::testing {
namespace {

using ::testing::SizeIs;

class PlanProof : public ::testing::Test {
   protected:
    static void SetUpTestSuite() {
        const char* given = std::getenv("PGM_SEED");
        seed_ = given ? static_cast<std::uint32_t>(std::stoul(given)) : 1;
        std::printf("PGM_SEED=%u\n", seed_);
        checker_ = std::make_unique<SplitChecker>();
    }
    static void TearDownTestSuite() { checker_.reset(); }

    PlanProof() {
        checker_->clear();
        checker_->counts.clear();
    }

    static bool is_long() { return std::getenv("PGM_LONG") != nullptr; }

    /// Worlds of one row a table at most, then of two, then of three.
    std::vector<std::string> check(unsigned worlds) {
        std::vector<std::string> wrong;
        for (unsigned world = 0; world < worlds; ++world) {
            const TinyData data = TinyData::random(random_, 1 + std::min(world, 2U));
            const std::vector<std::string> more = checker_->check(data, all_splits(data, random_));
            wrong.insert(wrong.end(), more.begin(), more.end());
        }
        return wrong;
    }

    /// Proves the statements in batches, for each is prepared on every server.
    void prove(const std::vector<std::string>& statements, std::size_t proofs_max, unsigned worlds) {
        constexpr std::size_t kBatch = 500;
        std::size_t proofs = 0, shown = 0;
        for (auto sql = statements.begin(); sql != statements.end() && proofs < proofs_max;) {
            checker_->clear();
            while (sql != statements.end() && checker_->size() < kBatch && proofs < proofs_max) proofs += checker_->add(*sql++) ? 1 : 0;
            for (const std::string& wrong : check(worlds)) {
                if (++shown <= 10) ADD_FAILURE() << wrong;
            }
        }
        std::printf("%zu plans proved, %zu wrong, seed %u\n", proofs, shown, seed_);
        EXPECT_EQ(shown, 0U);
        for (const auto& [what, count] : checker_->counts) std::printf("  %s: %llu\n", what.c_str(), static_cast<unsigned long long>(count));
    }

    static inline std::unique_ptr<SplitChecker> checker_;
    static inline std::uint32_t seed_ = 1;
    std::mt19937 random_{seed_};
};

planner::Statement scatter(planner::MergeSpec merge) {
    planner::Statement plan;
    plan.plan = planner::PlanKind::kScatter;
    plan.returns_rows = true;
    plan.scatter = planner::Scatter{.group = GroupId{1}, .key_type = 23, .merge = std::move(merge)};
    return plan;
}

planner::ValueRef constant(const char* value) {
    return {.constant = {.kind = planner::Literal::Kind::kInteger, .value = value}};
}

planner::Statement route(const char* key) {
    planner::Statement plan;
    plan.returns_rows = true;
    plan.route = {.where = planner::Route::Where::kKey, .group = GroupId{1}, .key_type = 23, .keys = {{constant(key)}}};
    return plan;
}

TEST_F(PlanProof, RefutesPlansThatAreWrongOnPurpose) {
    for (const char* sql : {"SELECT a.k, b.x FROM a JOIN b ON a.x = b.x", "SELECT r.id FROM r LEFT JOIN a ON a.k = r.id", "SELECT DISTINCT x FROM a",
                            "SELECT k FROM a WHERE k NOT IN (SELECT x FROM b)", "SELECT k, rank() OVER (ORDER BY x) FROM a",
                            "SELECT x FROM a EXCEPT SELECT x FROM b", "SELECT k, x FROM a UNION SELECT id, x FROM r", "SELECT count(*) FROM a",
                            "SELECT t.k, u.x FROM (SELECT b.k FROM a LEFT JOIN b ON a.k = b.k) t RIGHT JOIN c u ON t.k = u.j"}) {
        checker_->clear();
        checker_->add(sql, scatter({}));
        EXPECT_THAT(check(20), SizeIs(1)) << sql;
    }
    checker_->clear();
    checker_->add("SELECT k, x, y FROM a ORDER BY k, x, y LIMIT 1", scatter({.limit = constant("1")}));
    checker_->add("SELECT x FROM a WHERE k = 1 OR x = 1", route("1"));
    planner::Statement pruned = scatter({});
    pruned.scatter->prune = {{constant("1")}};
    checker_->add("SELECT k FROM a WHERE k <> 2", std::move(pruned));
    EXPECT_THAT(check(20), SizeIs(3));
}

TEST_F(PlanProof, AcceptsPlansThatAreRight) {
    checker_->add("SELECT a.k, b.x FROM a LEFT JOIN b ON a.k = b.k", scatter({}));
    checker_->add("SELECT x FROM a WHERE k = 1 AND x = 2", route("1"));
    EXPECT_THAT(check(20), SizeIs(0));
}

TEST_F(PlanProof, HoldsForTheForms) {
    std::vector<std::string> forms = all_statement_forms();
    std::shuffle(forms.begin(), forms.end(), random_);
    prove(forms, is_long() ? forms.size() : 1500, is_long() ? 12 : 5);
}

TEST_F(PlanProof, HoldsForRandomQueries) {
    std::vector<std::string> queries;
    for (std::uint32_t i = 0; i < (is_long() ? 40'000U : 2'000U); ++i) queries.push_back(QueryGenerator(seed_ * 1'000'003 + i).query());
    prove(queries, queries.size(), is_long() ? 12 : 5);
}

}  // namespace
}  // namespace pgmosaic::testing

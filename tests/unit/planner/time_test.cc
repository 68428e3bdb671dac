#include "planner/fixed_time.h"
#include "tests/unit/planner/fixture.h"

namespace pgmosaic::planner {
namespace {

using ::testing::HasSubstr;
using testing::PlannerTest;

class Times : public PlannerTest {
   protected:
    /// The text that is run at the moment T; its statement at S.
    std::string at_that_time(const std::string& sql) {
        const Statement& statement = plan(sql);
        const Statement& chosen = statement.route.otherwise ? *statement.route.otherwise : statement;
        return has_time_places(chosen.rewritten) ? with_times(chosen.rewritten, "T", "S") : "";
    }
};

TEST_F(Times, AreOneForAllShards) {
    EXPECT_EQ(at_that_time("SELECT now(), count(*) FROM orders WHERE created < CURRENT_DATE - 1 GROUP BY 1"),
              "SELECT (SELECT TIMESTAMPTZ 'T' AS now), count(*) FROM orders WHERE created < (SELECT CAST(TIMESTAMPTZ 'T' AS date) AS \"current_date\") - 1 GROUP BY 1");
    EXPECT_EQ(at_that_time("UPDATE orders SET note = pg_catalog.now ( )::text || statement_timestamp()"),
              "UPDATE orders SET note = (SELECT TIMESTAMPTZ 'T' AS now)::text || (SELECT TIMESTAMPTZ 'S' AS statement_timestamp)");
    EXPECT_THAT(at_that_time("DELETE FROM orders WHERE created > current_timestamp(3) OR created > localtimestamp"),
                HasSubstr("CAST(TIMESTAMPTZ 'T' AS timestamp(3) with time zone)"));
    EXPECT_THAT(at_that_time("DELETE FROM orders WHERE customer_id IN (1, 2) AND created < now()"), HasSubstr("TIMESTAMPTZ 'T'"));
    EXPECT_THAT(at_that_time("INSERT INTO customers VALUES (1, now()::text), (2, now()::text)"), HasSubstr("(2, (SELECT TIMESTAMPTZ 'T' AS now)::text)"));
}

TEST_F(Times, OfOneServerAreItsOwn) {
    EXPECT_EQ(at_that_time("SELECT now() FROM orders WHERE customer_id = 5"), "");
    EXPECT_EQ(at_that_time("INSERT INTO customers VALUES (1, now()::text)"), "");
    EXPECT_EQ(at_that_time("SELECT now()"), "");
    EXPECT_EQ(at_that_time("SELECT clock_timestamp(), 'now()' FROM orders"), "");
}

}  // namespace
}  // namespace pgmosaic::planner

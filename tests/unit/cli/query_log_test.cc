#include "cli/query_log.h"

#include <gmock/gmock.h>

namespace pgmosaic::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(QueryLog, SplitsSql) {
    EXPECT_THAT(statements_of("SELECT 1; -- one;\nSELECT ';' ;\n;SELECT $a$;$a$, (2)"),
                ElementsAre("SELECT 1", "SELECT ';'", "SELECT $a$;$a$, (2)"));
}

TEST(QueryLog, LeavesOutWhatPsqlDoes) { EXPECT_THAT(statements_of("\\set x 1\nSELECT 1;\n\\q\n"), ElementsAre("SELECT 1")); }

TEST(QueryLog, ReadsALogOfPostgreSql) {
    EXPECT_THAT(statements_of("2026-11-23 05:00:00 UTC [71] app@shop LOG:  statement: SELECT 1\n"
                              "2026-11-23 05:00:00 UTC [71] app@shop LOG:  duration: 0.204 ms\n"
                              "2026-11-23 05:00:01 UTC [71] app@shop LOG:  execute <unnamed>: SELECT *\n"
                              "\tFROM orders WHERE id = $1\n"
                              "2026-11-23 05:00:01 UTC [71] app@shop DETAIL:  parameters: $1 = '7'\n"
                              "2026-11-23 05:00:02 UTC [71] app@shop LOG:  duration: 12.5 ms  statement: UPDATE t SET a = 1; COMMIT\n"
                              "2026-11-23 05:00:02 UTC [71] app@shop ERROR:  relation \"x\" does not exist\n"),
                ElementsAre("SELECT 1", "SELECT *\nFROM orders WHERE id = $1", "UPDATE t SET a = 1", "COMMIT"));
}

TEST(QueryLog, KeepsWhatCannotBeRead) {
    EXPECT_THAT(statements_of("SELECT 1; SELECT 'without an end"), ElementsAre("SELECT 1", "SELECT 'without an end"));
    EXPECT_THAT(statements_of(" -- nothing\n;;"), IsEmpty());
    EXPECT_THAT(statements_of(""), IsEmpty());
}

}  // namespace
}  // namespace pgmosaic::cli

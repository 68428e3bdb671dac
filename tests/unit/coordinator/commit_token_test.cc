#include "coordinator/commit_token.h"

#include <gtest/gtest.h>

#include "coordinator/wal_floor.h"

namespace pgmosaic::coordinator {
namespace {

TEST(WalFloor, KnowsNothingOfAnotherEpoch) {
    WalFloor floor;
    EXPECT_EQ(floor.at(1), 0U);
    floor.raise(1, 500);
    EXPECT_EQ(floor.at(1), 500U);
    // The survivor of a failover may stand before the old primary's last position: that is no floor for it.
    EXPECT_EQ(floor.at(2), 0U);
    floor.raise(2, 480);
    EXPECT_EQ(floor.at(1), 0U);
    EXPECT_EQ(floor.at(2), 480U);
}

TEST(CommitToken, IsSentOnlyIfItHasAWord) {
    EXPECT_EQ(token_sql(CommitToken{}), "");
    const CommitToken token{.word = "abc"};
    EXPECT_EQ(token_sql(token), "SELECT pg_catalog.pg_logical_emit_message(true, 'mosaic', 'abc') WHERE "
                                "pg_catalog.pg_current_xact_id_if_assigned() IS NOT NULL;");
}

TEST(CommitToken, IsSearchedAsWalShowsIt) {
    const CommitToken token{.word = "a1z", .floor = 0x1000000AB};
    const std::string sql = search_sql(token);
    EXPECT_NE(sql.find("pg_mosaic.wal_records('1/AB')"), std::string::npos);
    EXPECT_NE(sql.find("'61 31 7A'"), std::string::npos);
}

}  // namespace
}  // namespace pgmosaic::coordinator

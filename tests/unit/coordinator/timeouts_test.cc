#include "coordinator/internal/timeouts.h"

#include <gtest/gtest.h>

namespace pgmosaic::coordinator {
namespace {

SettingsState state_of(const std::string& name, const std::string& sql) { return SettingsState{{Setting{name, sql}}}; }

Clock::duration statement_timeout(const std::string& sql) { return timeouts_of(state_of("statement_timeout", sql), {}).statement; }

TEST(Timeouts, AreReadAsPostgresqlReadsThem) {
    EXPECT_EQ(statement_timeout("SET statement_timeout = 250"), 250ms);
    EXPECT_EQ(statement_timeout("set STATEMENT_TIMEOUT to '5s'"), 5s);
    EXPECT_EQ(statement_timeout("SET statement_timeout TO '1.5 min'"), 90s);
    EXPECT_EQ(statement_timeout("SELECT pg_catalog.set_config('statement_timeout', '2h', false)"), 7200s);
    EXPECT_EQ(statement_timeout("SET statement_timeout TO 0"), 0ms);
    EXPECT_EQ(statement_timeout("SET statement_timeout TO DEFAULT"), 0ms);
    EXPECT_EQ(timeouts_of({}, {}).statement, 0ms);
}

TEST(Timeouts, OfTheTransactionComeFirst) {
    const SettingsState settings = state_of("statement_timeout", "SET statement_timeout = 250");
    EXPECT_EQ(timeouts_of(settings, {"SET LOCAL statement_timeout = 10", "SET LOCAL work_mem = '1MB'", "SET LOCAL statement_timeout = 20"}).statement, 20ms);
    EXPECT_EQ(timeouts_of(settings, {"SET LOCAL my_statement_timeout = 10"}).statement, 250ms);
    EXPECT_EQ(timeouts_of(settings, {"SET LOCAL idle_in_transaction_session_timeout = 7"}).idle_in_transaction, 7ms);
}

TEST(Timeouts, AreShownInTheLargestUnitThatFits) {
    EXPECT_EQ(shown_time(0ms), "0");
    EXPECT_EQ(shown_time(1500ms), "1500ms");
    EXPECT_EQ(shown_time(5s), "5s");
    EXPECT_EQ(shown_time(120s), "2min");
    EXPECT_EQ(shown_time(90s), "90s");
    EXPECT_EQ(shown_time(std::chrono::hours(24)), "1d");
}

}  // namespace
}  // namespace pgmosaic::coordinator

#include "backend/connection.h"

#include <gtest/gtest.h>

namespace pgmosaic::backend {
namespace {

std::string body(const std::string& severity, const std::string& code) {
    return "S" + severity + '\0' + "V" + severity + '\0' + "C" + code + '\0' + "Mlast words" + '\0' + '\0';
}

TEST(EndOfServer, IsToldByItsLastWords) {
    for (const char* code : {"57P01", "57P02", "57P03"}) {
        EXPECT_TRUE(is_end_of_server(body("FATAL", code))) << code;
        // A neighbour's crash is told as a warning; then the socket closes.
        EXPECT_TRUE(is_end_of_server(body("WARNING", code))) << code;
    }
    EXPECT_TRUE(is_end_of_server(body("PANIC", "53100")));
}

TEST(EndOfServer, IsNotToldByAnErrorOfAStatement) {
    EXPECT_FALSE(is_end_of_server(body("ERROR", "57P01")));  // RAISE … USING ERRCODE
    EXPECT_FALSE(is_end_of_server(body("ERROR", "57014")));
    EXPECT_FALSE(is_end_of_server(body("FATAL", "25P03")));  // idle_in_transaction_session_timeout: the client's own doing
    EXPECT_FALSE(is_end_of_server(body("WARNING", "01000")));
    EXPECT_FALSE(is_end_of_server({}));
}

TEST(Unreplicated, IsToldByTheRoutineThatGaveUp) {
    const auto notice = [](const std::string& code, const std::string& routine) {
        return "SWARNING" + std::string(1, '\0') + "VWARNING" + '\0' + "C" + code + '\0' + "R" + routine + '\0' + '\0';
    };
    EXPECT_TRUE(is_unreplicated(notice("01000", "SyncRepWaitForLSN")));
    EXPECT_FALSE(is_unreplicated(notice("57P01", "SyncRepWaitForLSN")));  // a server that is stopped answers nothing more
    EXPECT_FALSE(is_unreplicated(notice("01000", "exec_simple_query")));
    EXPECT_FALSE(is_unreplicated({}));
}

}  // namespace
}  // namespace pgmosaic::backend

#include "wire/messages.h"

#include <gtest/gtest.h>

namespace pgmosaic::wire {
namespace {

TEST(ErrorResponse, HasEveryFieldThatPostgreSqlAlwaysSends) {
    std::string out;
    write_error(out, Error{.code = sqlstate::kSyntaxError, .message = "cannot insert multiple commands into a prepared statement"});
    const auto frame = next_frame(out);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->type, 'E');
    for (const char field : {'S', 'V', 'C', 'M', 'F', 'L', 'R'}) EXPECT_FALSE(error_field(frame->body, field).empty()) << field;
    EXPECT_TRUE(error_field(frame->body, 'D').empty());
    EXPECT_EQ(read_error(frame->body).code, sqlstate::kSyntaxError);
}

}  // namespace
}  // namespace pgmosaic::wire

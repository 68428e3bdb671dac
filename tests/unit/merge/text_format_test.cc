#include "coordinator/merge/internal/text_format.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <limits>

namespace pgmosaic::merge {
namespace {

template <class Float>
std::string text(Float value) {
    std::string out;
    append_text(value, out);
    return out;
}

TEST(TextFormat, PrintsFloat8AsTheServerDoes) {
    EXPECT_EQ(text(0.0), "0");
    EXPECT_EQ(text(-0.0), "-0");
    EXPECT_EQ(text(1.0), "1");
    EXPECT_EQ(text(0.1), "0.1");
    EXPECT_EQ(text(-1.5), "-1.5");
    EXPECT_EQ(text(1e14), "100000000000000");
    EXPECT_EQ(text(1e15), "1e+15");
    EXPECT_EQ(text(123456789012345.6), "123456789012345.6");
    EXPECT_EQ(text(0.0001), "0.0001");
    EXPECT_EQ(text(0.00001234), "1.234e-05");
    EXPECT_EQ(text(1e100), "1e+100");
    EXPECT_EQ(text(std::numeric_limits<double>::infinity()), "Infinity");
    EXPECT_EQ(text(-std::numeric_limits<double>::infinity()), "-Infinity");
    EXPECT_EQ(text(std::nan("")), "NaN");
    EXPECT_EQ(text(5e-324), "5e-324");
}

TEST(TextFormat, PrintsFloat4AsTheServerDoes) {
    EXPECT_EQ(text(0.1F), "0.1");
    EXPECT_EQ(text(100000.0F), "100000");
    EXPECT_EQ(text(1e6F), "1e+06");
    EXPECT_EQ(text(1234567.0F), "1.234567e+06");
}

// 1e23 lies exactly between two doubles; Python prints it, PostgreSQL does not.
TEST(TextFormat, AvoidsNumbersHalfwayToTheNeighbour) {
    EXPECT_EQ(text(1e23), "9.999999999999999e+22");
    EXPECT_EQ(text(9007199254740994.0), "9.007199254740994e+15");
}

TEST(TextFormat, ReadsBackToTheSameValue) {
    EXPECT_TRUE(rc::check([](std::uint64_t bits) {
        auto value = std::bit_cast<double>(bits);
        if (std::isnan(value)) return;
        RC_ASSERT(std::strtod(text(value).c_str(), nullptr) == value);
    }));
}

}  // namespace
}  // namespace pgmosaic::merge

#include "coordinator/merge/internal/numeric.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "base/error.h"
#include "tests/unit/merge/rows.h"

namespace pgmosaic::merge {
namespace {

using testing::numeric;

std::string text_of(std::string_view binary) {
    std::string text;
    append_text(NumericView::parse(binary), text);
    return text;
}

std::string any_numeric() {
    auto digits = [](int most) {
        return *rc::gen::resize(
            most, rc::gen::container<std::string>(rc::gen::elementOf(std::string("0012349"))));
    };
    std::string whole = "1" + digits(*rc::gen::elementOf(std::vector<int>{0, 4, 30}));
    if (*rc::gen::inRange(0, 3) == 0) whole = "0";
    std::string fraction = digits(*rc::gen::elementOf(std::vector<int>{0, 3, 30}));
    std::string text = whole + (fraction.empty() ? "" : "." + fraction);
    bool zero = text.find_first_not_of("0.") == text.npos;
    return *rc::gen::arbitrary<bool>() && !zero ? "-" + text : text;
}

std::string sum_text(const std::vector<std::string>& values) {
    NumericSum sum;
    for (const std::string& value : values) sum.add(NumericView::parse(numeric(value)));
    std::string binary;
    sum.sum(binary);
    return text_of(binary);
}

TEST(Numeric, PrintsWhatWasRead) {
    for (const char* text :
         {"0", "0.00", "1", "-1", "10000", "0.0001", "-0.00010", "123456789.5", "100000000",
          "0.10000", "99999999999999999999999999999999999999999999.999", "NaN", "Infinity",
          "-Infinity"}) {
        EXPECT_EQ(text_of(numeric(text)), text);
    }
}

TEST(Numeric, OrdersAsTheServerDoes) {
    const std::vector<std::string> ascending = {"-Infinity",
                                                "-1000000000000000000000000000000000000000",
                                                "-10000",
                                                "-9999.5",
                                                "-1.00000000000000000001",
                                                "-1",
                                                "-0.0001",
                                                "0",
                                                "0.00001",
                                                "0.0001",
                                                "1",
                                                "1.00000000000000000001",
                                                "9999",
                                                "10000",
                                                "10000.0000000000001",
                                                "100000000000000000",
                                                "Infinity",
                                                "NaN"};
    for (std::size_t i = 0; i < ascending.size(); ++i) {
        for (std::size_t j = 0; j < ascending.size(); ++j) {
            std::string left = numeric(ascending[i]);
            std::string right = numeric(ascending[j]);
            int expected = i < j ? -1 : i > j ? 1 : 0;
            EXPECT_EQ(compare(NumericView::parse(left), NumericView::parse(right)), expected)
                << ascending[i] << " " << ascending[j];
            if (i >= j) continue;
            EXPECT_LE(prefix(NumericView::parse(left)), prefix(NumericView::parse(right)))
                << ascending[i] << " " << ascending[j];
        }
    }
}

TEST(Numeric, PrefixNeverContradictsTheOrder) {
    EXPECT_TRUE(rc::check([] {
        std::string left = numeric(any_numeric());
        std::string right = numeric(any_numeric());
        int order = compare(NumericView::parse(left), NumericView::parse(right));
        auto a = prefix(NumericView::parse(left));
        auto b = prefix(NumericView::parse(right));
        bool agrees = order == 0 ? a == b : order < 0 ? a <= b : a >= b;
        RC_ASSERT(agrees);
    }));
}

TEST(Numeric, RejectsMalformedBytes) {
    EXPECT_THROW(NumericView::parse("1234567"), PgError);
    std::string binary = numeric("12345");
    EXPECT_THROW(NumericView::parse(binary + "x"), PgError);
    EXPECT_THROW(NumericView::parse(std::string_view(binary).substr(0, binary.size() - 1)),
                 PgError);
    binary[8] = 0x7F;
    EXPECT_THROW(NumericView::parse(binary), PgError);
    binary = numeric("1");
    binary[4] = 0x12;
    EXPECT_THROW(NumericView::parse(binary), PgError);
}

TEST(NumericSum, KeepsTheLargestScale) {
    EXPECT_EQ(sum_text({"1.0", "2.000", "3"}), "6.000");
    EXPECT_EQ(sum_text({"1.5", "-1.5"}), "0.0");
}

TEST(NumericSum, IsTheSameInAnyPartition) {
    EXPECT_TRUE(rc::check([] {
        std::vector<std::string> values;
        for (int i = *rc::gen::inRange(1, 30); i > 0; --i) values.push_back(any_numeric());
        std::vector<std::string> partials;
        for (std::size_t at = 0; at < values.size();) {
            auto size = *rc::gen::inRange<std::size_t>(1, values.size() - at + 1);
            auto begin = values.begin() + static_cast<std::ptrdiff_t>(at);
            partials.push_back(sum_text({begin, begin + static_cast<std::ptrdiff_t>(size)}));
            at += size;
        }
        std::reverse(partials.begin(), partials.end());
        RC_ASSERT(sum_text(partials) == sum_text(values));
    }));
}

TEST(NumericSum, GoesBeyond128Bits) {
    std::string nines(38, '9');
    std::vector<std::string> values(1000, nines);
    EXPECT_EQ(sum_text(values), "99999999999999999999999999999999999999000");
    values.push_back("-" + nines + "000");
    EXPECT_EQ(sum_text(values), "0");
    EXPECT_EQ(sum_text({"170141183460469231731687303715884105727", "1"}),
              "170141183460469231731687303715884105728");
    EXPECT_EQ(sum_text({"-170141183460469231731687303715884105728", "-1",
                        "0.00000000000000000000000000000000000001"}),
              "-170141183460469231731687303715884105728.99999999999999999999999999999999999999");
}

}  // namespace
}  // namespace pgmosaic::merge

#include "base/json_text.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace pgmosaic {
namespace {

namespace json = boost::json;

const json::value kTree{{"text", "a \"b\"\n"}, {"number", 668.5}, {"count", 7}, {"none", nullptr}, {"list", json::array{1, json::array{}}}, {"empty", json::object{}}};

TEST(JsonText, WritesNumbersAsPeopleDo) {
    EXPECT_EQ(json_scalar(668.5), "668.5");
    EXPECT_EQ(json_scalar(1e300), "1e+300");
    EXPECT_EQ(json_scalar(-3), "-3");
    EXPECT_EQ(json_scalar(true), "true");
}

TEST(JsonText, OnOneLine) {
    EXPECT_EQ(json_line(kTree), R"({"text": "a \"b\"\n", "number": 668.5, "count": 7, "none": null, "list": [1, []], "empty": {}})");
}

TEST(JsonText, Indented) {
    EXPECT_EQ(json_indented(json::array{json::object{{"a", 1.5}, {"b", json::array{}}}}), "[\n  {\n    \"a\": 1.5,\n    \"b\": []\n  }\n]");
}

TEST(JsonText, IsJson) {
    EXPECT_EQ(json::parse(json_line(kTree)), kTree);
    EXPECT_EQ(json::parse(json_indented(kTree)), kTree);
}

}  // namespace
}  // namespace pgmosaic

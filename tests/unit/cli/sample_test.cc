#include "cli/sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <vector>

#include "cli/internal/random.h"
#include "cli/internal/shop.h"

namespace pgmosaic::cli {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
    return parts;
}

std::vector<std::vector<std::string>> rows_of(const Shop& shop, ShopTable table) {
    std::string text;
    for (std::uint64_t item = 0; item < shop.items(table); ++item) shop.append_item(table, item, text);
    std::vector<std::vector<std::string>> rows;
    for (const std::string& line : split(text, '\n')) rows.push_back(split(line, '\t'));
    return rows;
}

std::int64_t cents(const std::string& text) {
    const auto point = text.find('.');
    return std::stoll(text.substr(0, point)) * 100 + std::stoll(text.substr(point + 1));
}

TEST(Random, GivesTheSameNumbersOnEveryMachine) {
    Random random{1, 2, 3};
    Random again{1, 2, 3};
    const std::uint64_t first = random.bits();
    EXPECT_EQ(first, again.bits());
    EXPECT_EQ(first, 1321962074176129191U);
    EXPECT_NE(first, (Random{1, 3, 2}).bits());
}

TEST(Random, StaysWithinItsBounds) {
    Random random{7};
    std::set<std::int64_t> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(random.between(-2, 2));
    EXPECT_EQ(seen, (std::set<std::int64_t>{-2, -1, 0, 1, 2}));
}

TEST(Shop, MakesTheSameRowsForTheSameSeed) {
    EXPECT_EQ(rows_of(Shop(5, 300), ShopTable::kOrders), rows_of(Shop(5, 300), ShopTable::kOrders));
    EXPECT_NE(rows_of(Shop(5, 300), ShopTable::kOrders), rows_of(Shop(6, 300), ShopTable::kOrders));
}

TEST(Shop, EveryRowHasAllColumns) {
    const Shop shop(1, 500);
    for (const auto& [table, columns] : std::map<ShopTable, std::size_t>{{ShopTable::kCustomers, 8},
                                                                        {ShopTable::kProducts, 7},
                                                                        {ShopTable::kOrders, 7},
                                                                        {ShopTable::kOrderLines, 6}}) {
        for (const auto& row : rows_of(shop, table)) {
            // A row that ends with an empty string has one part less.
            ASSERT_GE(row.size() + (table == ShopTable::kOrders ? 1 : 0), columns) << name_of(table);
            ASSERT_LE(row.size(), columns) << name_of(table);
        }
    }
}

TEST(Shop, AnOrdersTotalIsTheSumOfItsLines) {
    const Shop shop(1, 400);
    std::map<std::string, std::int64_t> totals;
    for (const auto& line : rows_of(shop, ShopTable::kOrderLines)) {
        totals[line[0] + "/" + line[1]] += std::stoll(line[4]) * cents(line[5]);
    }
    const auto orders = rows_of(shop, ShopTable::kOrders);
    EXPECT_EQ(totals.size(), orders.size());
    for (const auto& order : orders) EXPECT_EQ(totals.at(order[0] + "/" + order[1]), cents(order[4]));
}

TEST(Shop, RowsReferToRowsThatExist) {
    const Shop shop(3, 1000);
    for (const auto& order : rows_of(shop, ShopTable::kOrders)) {
        const auto customer = std::stoull(order[0]);
        ASSERT_GE(customer, 1U);
        ASSERT_LE(customer, shop.items(ShopTable::kCustomers));
    }
    for (const auto& line : rows_of(shop, ShopTable::kOrderLines)) {
        ASSERT_LE(std::stoull(line[3]), shop.items(ShopTable::kProducts));
    }
}

TEST(Shop, FewCustomersOrderMuch) {
    const Shop shop(1, 20000);
    std::map<std::string, int> counts;
    for (const auto& order : rows_of(shop, ShopTable::kOrders)) ++counts[order[0]];
    std::vector<int> sorted;
    for (const auto& [customer, count] : counts) sorted.push_back(count);
    std::sort(sorted.rbegin(), sorted.rend());
    int best = 0;
    for (std::size_t i = 0; i < shop.items(ShopTable::kCustomers) / 100; ++i) best += sorted[i];
    EXPECT_GT(best, 20000 / 6);
    EXPECT_LT(best, 20000 / 3);
    EXPECT_EQ(sorted.back(), 1);
}

TEST(Sample, ScriptDiffersFromThePlainOneByItsDistributionOnly) {
    const auto script = [](bool distribute) {
        std::string text;
        EXPECT_TRUE(write_sample({.orders = 20, .distribute = distribute}, [&text](std::string_view part) { text += part; }));
        return text;
    };
    std::string spread;
    for (const std::string& line : split(script(true), '\n')) {
        if (line.find("SELECT create_") != 0) spread += line + "\n";
    }
    EXPECT_EQ(spread, script(false));
}

TEST(Sample, RefusesANameThatIsNotKnown) {
    const auto result = write_sample({.name = "zoo"}, [](std::string_view) {});
    ASSERT_TRUE(result.has_error());
    EXPECT_EQ(result.error().code, sqlstate::kInvalidParameterValue);
    EXPECT_EQ(result.error().message, "sample \"zoo\" does not exist");
}

TEST(Sample, SaysThatNobodyAnswers) {
    const auto result = load_sample("host=127.0.0.1 port=1 connect_timeout=1", {}, {});
    ASSERT_TRUE(result.has_error());
    EXPECT_EQ(result.error().code, sqlstate::kConnectionFailure);
}

}  // namespace
}  // namespace pgmosaic::cli

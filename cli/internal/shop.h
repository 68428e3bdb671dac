#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgmosaic::cli {

enum class ShopTable : std::uint8_t { kCustomers, kProducts, kOrders, kOrderLines };

inline constexpr std::array kShopTables{ShopTable::kCustomers, ShopTable::kProducts, ShopTable::kOrders,
                                        ShopTable::kOrderLines};

/// Name in SQL.
std::string_view name_of(ShopTable table);

/// The rows of the sample "shop", the same for the same seed and size wherever they are made.
///
/// Shape  customers (a tenth of the orders), products (500), orders, one to eight lines each; few customers order much,
///        most little; names, notes and addresses have quotes, backslashes, line ends, several scripts, NULLs and empty
///        strings. An order's total is the sum of its lines.
class Shop {
   public:
    Shop(std::uint64_t seed, std::uint64_t orders);

    /// Items that `append_item` makes of the table: its rows, but for order lines the orders that have them.
    std::uint64_t items(ShopTable table) const;
    /// Appends item number 0 … items()-1 in COPY's text format.
    void append_item(ShopTable table, std::uint64_t item, std::string& out) const;

   private:
    struct Line {
        std::int64_t product = 0;
        std::int64_t quantity = 0;
        std::int64_t unit_cents = 0;
    };

    void append_customer(std::uint64_t item, std::string& out) const;
    void append_product(std::uint64_t item, std::string& out) const;
    void append_order(std::uint64_t item, std::string& out) const;
    void append_lines(std::uint64_t item, std::string& out) const;

    std::uint64_t customers() const;
    std::int64_t customer_of(std::uint64_t order) const;
    std::vector<Line> lines_of(std::uint64_t order) const;
    std::int64_t price_of(std::int64_t product) const;

    std::uint64_t seed_;
    std::uint64_t orders_;
};

/// The statements that make the shop's tables, in order; `distribute`: and spread them over shards.
std::vector<std::string> shop_schema(bool distribute);
/// What follows the rows: foreign keys and indexes.
std::vector<std::string> shop_constraints();

}  // namespace pgmosaic::cli

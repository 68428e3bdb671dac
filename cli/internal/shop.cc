#include "cli/internal/shop.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "cli/internal/random.h"
#include "cli/internal/shop_words.h"

namespace pgmosaic::cli {
namespace {

constexpr std::uint64_t kProducts = 500;
constexpr std::uint64_t kOrdersPerCustomer = 10;
constexpr std::int64_t kDaySeconds = 86400;
/// 2023-01-01 00:00 UTC, and the two years from there.
constexpr std::int64_t kBegin = 1672531200;
constexpr std::int64_t kSpanSeconds = 731 * kDaySeconds;

/// What a random stream is for: no two kinds of value share one.
enum Stream : std::uint64_t { kCustomer = 1, kProduct, kPrice, kOrder, kBuyer, kLines };

void append_text(std::string_view value, std::string& out) {
    for (const char letter : value) {
        switch (letter) {
            case '\\': out += "\\\\"; break;
            case '\n': out += "\\n"; break;
            case '\t': out += "\\t"; break;
            case '\r': out += "\\r"; break;
            default: out += letter;
        }
    }
}

void append_cents(std::int64_t cents, std::string& out) {
    fmt::format_to(std::back_inserter(out), "{}.{:02}", cents / 100, cents % 100);
}

void append_date(std::int64_t seconds, std::string& out) {
    const std::chrono::sys_days day{std::chrono::days{seconds / kDaySeconds}};
    const std::chrono::year_month_day date{day};
    fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                   static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

void append_timestamp(std::int64_t seconds, std::string& out) {
    append_date(seconds, out);
    const std::int64_t of_day = seconds % kDaySeconds;
    fmt::format_to(std::back_inserter(out), " {:02}:{:02}:{:02}+00", of_day / 3600, of_day / 60 % 60, of_day % 60);
}

/// Orders come in the sequence of time; within a day more by daylight.
std::int64_t ordered_at(std::uint64_t order, std::uint64_t orders, Random& random) {
    const auto progress = static_cast<double>(order) / static_cast<double>(orders);
    const auto day = static_cast<std::int64_t>(progress * kSpanSeconds) / kDaySeconds;
    const double bell = (random.fraction() + random.fraction() + random.fraction()) / 3;
    return kBegin + day * kDaySeconds + static_cast<std::int64_t>(bell * kDaySeconds);
}

std::string_view status_of(double progress, Random& random) {
    if (random.chance(0.04)) return words::kStatuses[4];
    if (random.chance(0.03)) return words::kStatuses[5];
    if (progress < 0.97) return words::kStatuses[0];
    return words::kStatuses[static_cast<std::size_t>(random.between(0, 3))];
}

}  // namespace

std::string_view name_of(ShopTable table) {
    switch (table) {
        case ShopTable::kCustomers: return "customers";
        case ShopTable::kProducts: return "products";
        case ShopTable::kOrders: return "orders";
        case ShopTable::kOrderLines: return "order_lines";
    }
    return {};
}

Shop::Shop(std::uint64_t seed, std::uint64_t orders) : seed_(seed), orders_(std::max<std::uint64_t>(orders, 1)) {}

std::uint64_t Shop::customers() const { return std::max<std::uint64_t>(orders_ / kOrdersPerCustomer, 1); }

std::uint64_t Shop::items(ShopTable table) const {
    switch (table) {
        case ShopTable::kCustomers: return customers();
        case ShopTable::kProducts: return kProducts;
        case ShopTable::kOrders:
        case ShopTable::kOrderLines: return orders_;
    }
    return 0;
}

void Shop::append_item(ShopTable table, std::uint64_t item, std::string& out) const {
    switch (table) {
        case ShopTable::kCustomers: return append_customer(item, out);
        case ShopTable::kProducts: return append_product(item, out);
        case ShopTable::kOrders: return append_order(item, out);
        case ShopTable::kOrderLines: return append_lines(item, out);
    }
}

void Shop::append_customer(std::uint64_t item, std::string& out) const {
    Random random{seed_, kCustomer, item};
    const auto first = random.pick<std::string_view>(words::kFirstNames);
    const auto last = random.pick<std::string_view>(words::kLastNames);
    fmt::format_to(std::back_inserter(out), "{}\t{} {}\tcustomer{}@example.org\t{}\t", item + 1, first, last, item + 1,
                   random.pick<std::string_view>(words::kRegions));
    if (random.chance(0.1)) {
        out += "\\N";
    } else {
        append_date(random.between(0, 12000) * kDaySeconds, out);
    }
    out += '\t';
    append_cents(random.between(0, 500000), out);
    out += random.chance(0.05) ? "\tt\t" : "\tf\t";
    append_timestamp(kBegin - random.between(1, 365 * kDaySeconds), out);
    out += '\n';
}

std::int64_t Shop::price_of(std::int64_t product) const {
    Random random{seed_, kPrice, static_cast<std::uint64_t>(product)};
    return (std::int64_t{1} << random.between(7, 15)) + random.between(0, 99);
}

void Shop::append_product(std::uint64_t item, std::string& out) const {
    Random random{seed_, kProduct, item};
    const auto product = static_cast<std::int64_t>(item) + 1;
    const auto adjective = random.pick<std::string_view>(words::kAdjectives);
    const auto noun = random.pick<std::string_view>(words::kNouns);
    const auto category = random.pick<std::string_view>(words::kCategories);
    fmt::format_to(std::back_inserter(out), "{}\tSKU-{:05}\t{} {}\t{}\t", product, product * 7, adjective, noun, category);
    append_cents(price_of(product), out);
    out += '\t';
    if (random.chance(0.2)) {
        out += "\\N";
    } else {
        out += std::to_string(random.between(10, 20000));
    }
    out += random.chance(0.1) ? "\tt\n" : "\tf\n";
}

std::int64_t Shop::customer_of(std::uint64_t order) const {
    Random random{seed_, kBuyer, order};
    // Cubed: the best hundredth of the customers places about a fifth of the orders.
    const double fraction = random.fraction();
    return 1 + static_cast<std::int64_t>(fraction * fraction * fraction * static_cast<double>(customers()));
}

std::vector<Shop::Line> Shop::lines_of(std::uint64_t order) const {
    Random random{seed_, kLines, order};
    const std::int64_t count = 1 + std::min(random.between(0, 4), random.between(0, 7));
    std::vector<Line> lines;
    for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t product = random.between(1, kProducts);
        lines.push_back({product, std::min(random.between(1, 12), random.between(1, 4)), price_of(product)});
    }
    return lines;
}

void Shop::append_order(std::uint64_t item, std::string& out) const {
    Random random{seed_, kOrder, item};
    fmt::format_to(std::back_inserter(out), "{}\t{}\t", customer_of(item), item + 1);
    append_timestamp(ordered_at(item, orders_, random), out);
    const auto progress = static_cast<double>(item) / static_cast<double>(orders_);
    fmt::format_to(std::back_inserter(out), "\t{}\t", status_of(progress, random));
    std::int64_t total = 0;
    for (const Line& line : lines_of(item)) total += line.quantity * line.unit_cents;
    append_cents(total, out);
    out += '\t';
    append_text(random.pick<std::string_view>(words::kStreets), out);
    fmt::format_to(std::back_inserter(out), " {}\t", random.between(1, 250));
    if (random.chance(0.85)) {
        out += "\\N";
    } else {
        append_text(random.pick<std::string_view>(words::kNotes), out);
    }
    out += '\n';
}

void Shop::append_lines(std::uint64_t item, std::string& out) const {
    const std::int64_t customer = customer_of(item);
    int number = 1;
    for (const Line& line : lines_of(item)) {
        fmt::format_to(std::back_inserter(out), "{}\t{}\t{}\t{}\t{}\t", customer, item + 1, number++, line.product,
                       line.quantity);
        append_cents(line.unit_cents, out);
        out += '\n';
    }
}

}  // namespace pgmosaic::cli

#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "planner/planner.h"

namespace pgmosaic::planner::testing {

/// A column as Catalog::from_json reads it. `extra`: "" or what follows the type name in the array.
std::string column(int number, const std::string& name, int type, const std::string& type_name, bool not_null = false,
                   const std::string& default_expr = {}, const std::string& identity = {});

struct TableText {
    std::string name;
    int oid = 0;
    std::string placement{};  ///< "s", "r" or empty
    int key = 0;
    int group = 0;
    std::vector<std::string> columns{};
    std::string unique = "null";
    std::string kind = "r";
    std::string view{};
    std::string more{};       ///< further members: `, "temporary": true`
};
std::string table(const TableText& text);
std::string catalog_text(const std::vector<std::string>& tables, const std::vector<std::string>& functions = {}, bool operators = false);

/// customers(id), orders(customer_id), lines(customer_id) sharded alike; events(tenant) in a group of its own; products a
/// reference table; settings local; views and functions over them.
std::shared_ptr<const Catalog> shop();
std::shared_ptr<const Catalog> shop_with_operators();

class PlannerTest : public ::testing::Test {
   protected:
    PlannerTest() { use(shop()); }
    void use(std::shared_ptr<const Catalog> catalog);

    /// The plan of a text of one statement.
    const Statement& plan(const std::string& sql);
    const Planned& planned() const { return planned_; }
    /// The values of a proved route, as text: literals of the text, `$n`, `=constant`; alternatives joined by '|', keys by ' '.
    std::string keys(const std::string& sql);
    /// The refusal's message, or "" with a failure if it is not refused.
    std::string refusal_of(const std::string& sql);

    Environment environment_{};
    Planner planner_;
    Planned planned_;
};

}  // namespace pgmosaic::planner::testing

#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace pgmosaic::testing {

/// Random SELECTs over the tables of select_parity/random_schema.sql: every column holds a few small numbers, so that what is
/// equal by chance off the shard key is met as often as what is equal on it. Their answers are determined, but for the order
/// of rows where the statement itself has no ORDER BY.
class QueryGenerator {
   public:
    explicit QueryGenerator(std::uint32_t seed) : random_(seed) {}
    std::string query();

   private:
    struct Column {
        std::string sql{};
        bool key = false;
    };
    using Columns = std::vector<Column>;
    struct Query {
        std::string sql{};
        std::vector<bool> keys{};  ///< one per column: it is likely a shard key; columns are called c1, c2 …
    };
    struct Item {
        std::string sql{};
        Columns columns{};
    };
    struct With {
        std::string name{};
        std::vector<bool> keys{};
    };

    bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
    int below(int bound) { return static_cast<int>(random_() % static_cast<std::uint32_t>(bound)); }
    template <class T>
    const T& one_of(const std::vector<T>& list) {
        return list[random_() % list.size()];
    }
    std::string new_name(const char* prefix) { return prefix + std::to_string(++names_); }

    Query select(int depth, int columns, const Columns& outer);
    Query plain(int depth, int columns, const Columns& outer);
    Query set_operation(int depth, int columns, const Columns& outer);
    void rows(Query& query, std::string& tail, const Columns& scope, int columns, const Columns& outer, int depth);
    void groups(Query& query, std::string& tail, const Columns& scope, int columns);
    void order_and_limit(Query& query, int columns, bool wanted);

    Item from(int depth, const Columns& outer);
    Item item(int depth, const Columns& outer);
    Item table();
    Item derived(const std::string& sql, const std::string& alias, const std::vector<bool>& keys);
    void join(Item& left, const Item& right);

    std::string condition(const Columns& scope, const Columns& outer, int depth);
    std::string sub_query(const Columns& scope, int depth);
    std::string number(const Columns& scope, int depth);
    std::string aggregate(const Columns& scope);
    std::string window(const Columns& scope);
    Column pick(const Columns& scope, bool key);

    std::mt19937 random_;
    int names_ = 0;
    std::vector<With> with_;
};

}  // namespace pgmosaic::testing

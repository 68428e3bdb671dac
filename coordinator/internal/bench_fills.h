#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "coordinator/internal/bench.h"
#include "planner/plan_details.h"

namespace pgmosaic::coordinator {

/// Defaults that only the home shard can give (sequences), for rows that are made on the workbench: a default there takes the values one
/// by one that were fetched before. How many are needed only the statement itself can tell: it is tried, and what it did is undone.
///
/// Lifetime  borrows all that it is made of
/// Errors    the servers'; 54000 if each try needs more than the one before
class BenchFills {
   public:
    BenchFills(Session& session, const Request& request, Bench& bench, const std::vector<planner::WrittenTable>& tables);

    bool any() const { return !columns_.empty(); }
    /// Behind the CREATE TABLE of the tables.
    std::string create_sql() const;
    /// Fetches what the statement is going to take.
    Task<> fetch(std::string sql);

   private:
    struct Filled {
        const planner::WrittenTable* table = nullptr;
        const planner::WrittenTable::Column* column = nullptr;
        std::uint64_t values = 0;
    };

    std::string name(std::size_t number, const char* what) const;
    Task<bool> add_missing();

    Session& session_;
    const Request& request_;
    Bench& bench_;
    std::vector<Filled> columns_;
};

}  // namespace pgmosaic::coordinator

#include "planner/plan_details.h"

#include <algorithm>

namespace pgmosaic::planner {

std::string WrittenTable::pull_on(ShardId shard) const {
    std::string sql = pull_sql;
    const std::string_view number = "$shard$";
    const std::size_t at = sql.find(number);
    if (at != std::string::npos) sql.replace(at, number.size(), std::to_string(shard.value));
    return sql;
}

const PlanDetails& details_of(const Statement& statement) {
    static const PlanDetails none;
    if (!statement.insert || statement.insert->rows > 0 || !statement.insert->tree) return none;
    return *static_cast<const PlanDetails*>(statement.insert->tree.get());
}

void set_details(Statement& statement, PlanDetails details) {
    statement.insert.emplace();
    statement.insert->tree = std::make_shared<const PlanDetails>(std::move(details));
}

bool explains_route(const Statement& statement) {
    return statement.command == Command::kExplain && statement.plan == PlanKind::kRoute && statement.route.where == Route::Where::kKey;
}

bool has_spread_tables(const Catalog& catalog) {
    const std::vector<Table>& tables = catalog.tables();
    return std::any_of(tables.begin(), tables.end(), [](const Table& table) { return table.placement != Placement::kLocal; });
}

}  // namespace pgmosaic::planner

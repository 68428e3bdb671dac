#include <algorithm>

#include "planner/internal/analyzer.h"
#include "planner/internal/statement.h"
#include "shardmap/key_types.h"

namespace pgmosaic::planner {

// A call of a distributed function is proved like a sharded table of one column, its key: the call needs the shard that owns the
// key as a table's row does. A column that is given as the key ties the two, a constant binds the call.
void Analyzer::call(const pg_query::FuncCall& call, const Function& function, int level) {
    const FunctionSpread& spread = *function.spread;
    if (spread.way == FunctionSpread::Way::kAny) {
        out_.touches_reference = true;
        return;
    }
    out_.touches_sharded = true;
    out_.call_name = function.name;
    auto table = std::make_unique<Table>();
    table->name = function.name;
    table->placement = Placement::kSharded;
    table->group = spread.group;
    table->key = 0;
    const Oid type = spread.way == FunctionSpread::Way::kKey ? spread.key_type : shardmap::kInt8Oid;
    table->columns = {Column{.name = spread.argument_name, .type = type}};
    RangeEntry entry{.kind = RangeEntry::Kind::kCall, .table = table.get(), .columns_known = true,
                     .on_all = spread.way == FunctionSpread::Way::kAll};
    out_.call_tables.push_back(std::move(table));
    const int index = add_entry(std::move(entry), level);
    const pg_query::Node* key = spread.way == FunctionSpread::Way::kKey ? key_argument(call, spread) : nullptr;
    if (!key) return;
    Fact fact{.left = {index, 0}, .level = level, .valid_for = {index}};
    if (key->has_column_ref()) {
        bool unknown = false;
        if (const auto column = find_column(key->column_ref(), level, unknown)) add_column_fact(fact.left, *column, fact);
        return;
    }
    const auto family = shardmap::key_family(type);
    const auto value = family ? context_.key_value_of(*key, *family) : std::nullopt;
    if (!value) return;
    fact.values = {*value};
    out_.facts.push_back(std::move(fact));
}

// `FROM f(…)` alone; its columns are then known, and it counts as no expression that could be repeated.
std::optional<RangeEntry> Analyzer::function_in_from(const pg_query::RangeFunction& from, int level) {
    if (from.functions_size() != 1 || from.functions(0).list().items_size() == 0 || !from.functions(0).list().items(0).has_func_call()) {
        return std::nullopt;
    }
    const pg_query::FuncCall& call = from.functions(0).list().items(0).func_call();
    const Function* function = distributed_function(call, context_.catalog, context_.environment.search_path);
    if (!function) return std::nullopt;
    if (from.ordinality() && function->spread->way == FunctionSpread::Way::kAll) {
        refuse("cannot number the rows of function " + quoted(function->name), "It runs on every shard, and each would count from 1.",
               "Use row_number() around a sub-query.");
    }
    RangeEntry entry{.kind = RangeEntry::Kind::kFunction, .alias = from.alias().aliasname(), .lateral = true};
    if (entry.alias.empty()) entry.alias = function->name;
    out_.has_volatile |= function->volatility == 'v';
    out_.has_user_function = true;
    this->call(call, *function, level);
    children(call, level);
    if (from.ordinality() || from.coldeflist_size() > 0 || function->spread->columns.empty()) return entry;
    auto shape = std::make_unique<Table>();
    shape->name = function->name;
    shape->columns = function->spread->columns;
    for (const Column& column : shape->columns) entry.columns.push_back(column.name);
    // The one column of a scalar result is called as the function is in FROM.
    if (shape->columns.size() == 1 && shape->columns[0].name == function->name && from.has_alias()) entry.columns[0] = entry.alias;
    if (from.has_alias()) rename_columns(from.alias(), entry);
    entry.columns_known = true;
    entry.table = shape.get();
    out_.call_tables.push_back(std::move(shape));
    return entry;
}

}  // namespace pgmosaic::planner

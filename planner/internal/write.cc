#include <algorithm>

#include "planner/internal/move_rows.h"
#include "planner/internal/statement.h"
#include "planner/internal/write_workbench.h"

namespace pgmosaic::planner {

namespace {

using Nodes = google::protobuf::RepeatedPtrField<pg_query::Node>;

int target_entry(const QueryAnalysis& analysis) {
    for (int index : analysis.levels[0].entries) {
        if (analysis.entries[static_cast<std::size_t>(index)].target) return index;
    }
    return -1;
}

bool uses_cursor(const pg_query::Node& node) {
    bool found = false;
    walk(node, [&](const google::protobuf::Message& each) {
        found |= as<pg_query::CurrentOfExpr>(each) != nullptr;
        return !found;
    });
    return found;
}

// The assignments give some row another key.
struct MovesRows {};

// SET key = … is right only where it gives the key the value that it has.
void check_assignments(const Nodes& assignments, const Table& table, const std::optional<KeyAlternatives>& keys, PlanContext& context) {
    const std::string& key = table.columns[static_cast<std::size_t>(table.key)].name;
    for (const pg_query::Node& assignment : assignments) {
        if (assignment.res_target().name() != key) continue;
        const auto value = context.value_of(assignment.res_target().val());
        if (value && keys && keys->size() == 1) {
            const Literal set = context.literal_of(*value), bound = context.literal_of((*keys)[0]);
            const bool parameter = value->from == ValueRef::From::kParameter || (*keys)[0].from == ValueRef::From::kParameter;
            const bool same = parameter ? value->from == (*keys)[0].from && value->index == (*keys)[0].index
                                        : set.value == bound.value && set.negative == bound.negative;
            context.exact_literals = true;
            if (same) return;
        }
        throw MovesRows{};
    }
}

void check_key_assignments(const pg_query::Node& node, const Table& table, const std::optional<KeyAlternatives>& keys,
                           PlanContext& context) {
    if (node.has_update_stmt()) check_assignments(node.update_stmt().target_list(), table, keys, context);
    for (const pg_query::Node& when : node.merge_stmt().merge_when_clauses()) {
        if (when.merge_when_clause().command_type() != pg_query::CMD_UPDATE) continue;
        try {
            check_assignments(when.merge_when_clause().target_list(), table, keys, context);
        } catch (const MovesRows&) {
            const std::string& key = table.columns[static_cast<std::size_t>(table.key)].name;
            refuse("cannot change shard key " + quoted(key) + " of " + quoted(table.name) + " in MERGE",
                   "The row would belong to another shard.", "Use UPDATE for the rows that move.");
        }
    }
}

// The same through a view: no assignment may reach the key below it.
void check_view_assignments(const pg_query::Node& node, const QueryAnalysis& analysis, int target) {
    const RangeEntry& view = analysis.entries[static_cast<std::size_t>(target)];
    if (node.has_merge_stmt()) refuse("cannot merge into view " + quoted(view.table->name), {}, "Name the table itself.");
    for (const pg_query::Node& assignment : node.update_stmt().target_list()) {
        for (std::size_t i = 0; i < view.columns.size(); ++i) {
            if (view.columns[i] != assignment.res_target().name()) continue;
            for (ColumnNode column : analysis.equal_columns({target, static_cast<int>(i)})) {
                const RangeEntry& base = analysis.entries[static_cast<std::size_t>(column.entry)];
                const bool key = base.kind == RangeEntry::Kind::kTable && base.table->placement == Placement::kSharded &&
                                 base.table->key == column.column;
                if (!key) continue;
                refuse("cannot change shard key " + quoted(view.columns[i]) + " of " + quoted(base.table->name),
                       "The row would belong to another shard.", "Insert the row with its new key, then delete the old one.");
            }
        }
    }
}

// MERGE's INSERT gives its row the key that the statement is bound to, or the row would be on the wrong shard.
void check_merge_inserts(const pg_query::MergeStmt& merge, const Table& table, const QueryAnalysis& analysis, int target) {
    const std::string& key = table.columns[static_cast<std::size_t>(table.key)].name;
    for (const pg_query::Node& node : merge.merge_when_clauses()) {
        const pg_query::MergeWhenClause& when = node.merge_when_clause();
        if (when.command_type() != pg_query::CMD_INSERT) continue;
        int position = when.target_list_size() == 0 ? table.key : -1;
        for (int i = 0; i < when.target_list_size(); ++i) {
            if (when.target_list(i).res_target().name() == key) position = i;
        }
        bool tied = false;
        if (position >= 0 && position < when.values_size()) {
            const auto column = analysis.resolve(when.values(position), 0);
            const auto equal = column ? analysis.equal_columns({target, table.key}) : std::vector<ColumnNode>{};
            tied = column && std::find(equal.begin(), equal.end(), *column) != equal.end();
        }
        if (tied) continue;
        refuse("MERGE into " + quoted(table.name) + " may insert rows of other shards",
               "The inserted shard key " + quoted(key) + " is not the source column that the ON condition compares with it.",
               "Insert the source's column that ON compares with " + quoted(key) + ".");
    }
}

[[noreturn]] void refuse_spread_write(const char* what, const Table& table) {
    refuse(std::string("cannot ") + what + " " + quoted(table.name) + " on several shards in this statement",
           "It reads tables that are not joined with it on the shard key " +
               quoted(table.columns[static_cast<std::size_t>(table.key)].name) + ".",
           "Add a condition on the shard key, join on it, or read the other table first.");
}

// No row of another shard, and nothing that all shards would do again, is needed for the rows of one.
bool each_shard_reads_its_own(const QueryAnalysis& analysis, int target) {
    return !analysis.has_modifying_cte && !analysis.touches_local && !analysis.touches_unknown && analysis.tied_to(target);
}

Statement spread_write(const pg_query::Node& node, const QueryAnalysis& analysis, int target) {
    const Table& table = *analysis.entries[static_cast<std::size_t>(target)].table;
    const char* what = node.has_update_stmt() ? "update" : node.has_delete_stmt() ? "delete from" : "merge into";
    check_spread(analysis);
    if (node.has_merge_stmt() || !each_shard_reads_its_own(analysis, target)) refuse_spread_write(what, table);
    Statement statement;
    statement.plan = PlanKind::kScatter;
    statement.reason = "no condition on shard key " + quoted(table.columns[static_cast<std::size_t>(table.key)].name);
    statement.scatter.emplace();
    statement.scatter->group = table.group;
    statement.scatter->key_type = table.columns[static_cast<std::size_t>(table.key)].type;
    statement.scatter->merge.visible = returning_columns(node, analysis);
    if (auto keys = analysis.key_values(target)) {
        statement.scatter->prune.push_back(std::move(*keys));
        statement.reason = "the shard key has one of several values";
    }
    return statement;
}

}  // namespace

Statement plan_write(const pg_query::Node& node, const QueryAnalysis& analysis, StatementText text, PlanContext& context) {
    const int target = target_entry(analysis);
    const Table* table = target < 0 ? nullptr : analysis.entries[static_cast<std::size_t>(target)].table;
    const auto route = prove_route(analysis);
    const bool sharded = table && table->kind != 'v' && table->placement == Placement::kSharded;
    if (!sharded && !route) {
        refuse("cannot write " + quoted(table ? table->name : target_of(node).relname()) + " from sharded tables",
               "The rows that are read lie on several shards, the table that is written does not.",
               "Bind the sharded tables to one shard key, or read first and write then.");
    }
    if (uses_cursor(node)) {
        refuse("cannot use WHERE CURRENT OF on a sharded table", "The cursor's row may lie on another shard.",
               "Use the row's primary key.");
    }
    const auto multi = [&] {
        return or_on_workbench(node, analysis, text, context, [&]() -> Statement {
            if (sharded) return spread_write(node, analysis, target);
            refuse_spread_write("write", *analysis.entries[static_cast<std::size_t>(analysis.sharded()[0])].table);
        });
    };
    if (table && table->kind == 'v') check_view_assignments(node, analysis, target);
    try {
        if (sharded) check_key_assignments(node, *table, analysis.key_values(target), context);
    } catch (const MovesRows&) {
        if (!route && !each_shard_reads_its_own(analysis, target)) return plan_workbench_write(node, analysis, text, context);
        return plan_row_move(node.update_stmt(), analysis, *table, context);
    }
    if (sharded && node.has_merge_stmt()) check_merge_inserts(node.merge_stmt(), *table, analysis, target);
    if (!route) return multi();
    check_home_state(analysis);
    Statement statement = route_to(*route, "every sharded table is bound to a value of its shard key");
    if (!may_diverge(*route)) return statement;
    Statement otherwise;
    try {
        otherwise = multi();
    } catch (const PgError& refused) {
        otherwise.plan = PlanKind::kRefuse;
        otherwise.refusal = refused.error();
    }
    otherwise.command = node.has_update_stmt() ? Command::kUpdate : node.has_delete_stmt() ? Command::kDelete : Command::kMerge;
    otherwise.returns_rows = returning_columns(node, analysis) > 0;
    statement.route.otherwise = std::make_shared<const Statement>(std::move(otherwise));
    return statement;
}

}  // namespace pgmosaic::planner

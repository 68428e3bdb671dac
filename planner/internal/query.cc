#include <algorithm>
#include <cctype>

#include "planner/internal/functions.h"
#include "planner/internal/select_plan.h"
#include "planner/internal/sequence_calls.h"
#include "planner/internal/statement.h"
#include "planner/internal/time_places.h"
#include "planner/internal/write_workbench.h"

namespace pgmosaic::planner {

namespace {

Command command_of(const pg_query::Node& node) {
    switch (node.node_case()) {
        case pg_query::Node::kInsertStmt: return Command::kInsert;
        case pg_query::Node::kUpdateStmt: return Command::kUpdate;
        case pg_query::Node::kDeleteStmt: return Command::kDelete;
        case pg_query::Node::kMergeStmt: return Command::kMerge;
        default: return Command::kSelect;
    }
}

const google::protobuf::RepeatedPtrField<pg_query::Node>* returning_of(const pg_query::Node& node) {
    switch (node.node_case()) {
        case pg_query::Node::kInsertStmt: return &node.insert_stmt().returning_list();
        case pg_query::Node::kUpdateStmt: return &node.update_stmt().returning_list();
        case pg_query::Node::kDeleteStmt: return &node.delete_stmt().returning_list();
        default: return nullptr;
    }
}

void check_functions(const QueryAnalysis& analysis, const PlanContext& context) {
    if (!context.catalog.has_sharded_tables()) return;
    if (!analysis.reads_by_text.empty()) {
        refuse("cannot use " + analysis.reads_by_text + " beside sharded tables",
               "It reads tables that only its text argument names, and would see one shard's rows.", "Write the query itself.");
    }
    if (analysis.has_unknown_function && !analysis.touches_sharded) {
        refuse("function " + quoted(analysis.user_volatile_name) + " may read sharded tables",
               "It runs on one shard, where it would see that shard's rows only; its body names them, or cannot be read.",
               "Declare it IMMUTABLE if it reads no tables, or write its query out.");
    }
}

bool targets_reference(const QueryAnalysis& analysis) {
    return std::any_of(analysis.entries.begin(), analysis.entries.end(), [](const RangeEntry& entry) {
        return entry.target && entry.table && entry.table->placement == Placement::kReference;
    });
}

// A write is planned by its target; where all of it goes to one shard, the calls do, too.
void check_calls_of_write(const QueryAnalysis& analysis) {
    if (analysis.call_name.empty() || prove_route(analysis)) return;
    refuse("cannot call the distributed function " + quoted(analysis.call_name) + " in a write of several shards",
           "Each call belongs to the shard of its key argument.", "Bind every table and call to one key, or call it in a statement of its own.");
}

const RangeEntry* main_target(const QueryAnalysis& analysis) {
    for (const RangeEntry& entry : analysis.entries) {
        if (entry.target && entry.level == 0) return &entry;
    }
    return nullptr;
}

Statement without_sharded(const pg_query::Node& node, const QueryAnalysis& analysis, PlanContext& context) {
    const RangeEntry* target = main_target(analysis);
    const bool reference = target && target->table && target->table->placement == Placement::kReference;
    if (reference && !analysis.has_modifying_cte) return plan_reference_write(node, analysis, context);
    if (targets_reference(analysis)) {
        refuse("cannot write a reference table within WITH", "Its copies on all shards must be written alike, one after the other.",
               "Write it with a statement of its own.");
    }
    Statement statement = route_home(command_of(node));
    const bool anywhere = !node.has_merge_stmt() && node.has_select_stmt() && analysis.touches_reference && !analysis.touches_local &&
                          !analysis.touches_unknown && !analysis.has_volatile && !analysis.has_user_volatile && !analysis.has_locking;
    if (anywhere) {
        statement.route.where = Route::Where::kAny;
        statement.reason = "reference tables are whole on every shard";
    }
    return statement;
}

void check_admin_views(const QueryAnalysis& analysis, Statement& statement) {
    for (const std::string& name : analysis.admin_views) {
        if (is_admin_view(name)) statement.admin_views.push_back(name);
    }
    const bool spread = !analysis.spread_views.empty();
    if (spread && analysis.tells_sizes && analysis.touches_sharded) {
        refuse("cannot tell sizes or statistics in a statement that uses sharded tables", "They are summed over the shards by pgmosaic.",
               "Ask for them in a statement of their own.");
    }
    if (!analysis.touches_sharded) {
        statement.admin_views.insert(statement.admin_views.end(), analysis.spread_views.begin(), analysis.spread_views.end());
    }
    if (statement.admin_views.empty() || !analysis.touches_sharded) return;
    refuse("cannot join views of schema mosaic with sharded tables", "The views are answered by pgmosaic, the tables by the shards.",
           "Read them in two statements.");
}

// The words of the SELECT itself; nothing where they stand within EXPLAIN, DECLARE …
std::optional<SelectText> words_of_select(StatementText text) {
    static constexpr std::string_view kFirst[] = {"select", "with", "values", "table"};
    Token first;
    if (!Lexer(text.text).next(first)) return std::nullopt;
    std::string word(first.text(text.text));
    std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const bool own = word == "(" || std::find(std::begin(kFirst), std::end(kFirst), word) != std::end(kFirst);
    return own ? std::optional(SelectText{text.text, text.offset}) : std::nullopt;
}

Statement plan_select(const pg_query::Node& node, const QueryAnalysis& analysis, StatementText text, PlanContext& context) {
    const pg_query::SelectStmt& select = node.select_stmt();
    auto route = prove_route(analysis);
    const auto multi = [&] {
        if (analysis.has_modifying_cte) return plan_workbench_write(node, analysis, text, context);
        check_spread(analysis);
        Statement planned = plan_select_multi(analysis, select, context, words_of_select(text));
        planned.command = Command::kSelect;
        return planned;
    };
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
        otherwise.reason = refused.error().message;
    }
    otherwise.returns_rows = true;
    otherwise.command = Command::kSelect;
    otherwise.writes = analysis.has_locking || analysis.has_modifying_cte;
    statement.route.otherwise = std::make_shared<const Statement>(std::move(otherwise));
    return statement;
}

// An INSERT or MERGE into a table of the home shard lets its server take the defaults.
bool fills_from_sequences(const pg_query::Node& node, const QueryAnalysis& analysis) {
    if (!node.has_insert_stmt() && !node.has_merge_stmt() && !analysis.has_modifying_cte) return false;
    return std::any_of(analysis.entries.begin(), analysis.entries.end(), [](const RangeEntry& entry) {
        return entry.target && entry.table && entry.table->placement == Placement::kLocal && has_home_defaults(*entry.table);
    });
}

// What the defaults of the tables of that kind can move into which rows are inserted; nothing: not all of it is known.
std::optional<std::vector<std::string>> moved_sequences(const pg_query::Node& node, const QueryAnalysis& analysis, Placement placement) {
    std::vector<std::string> names;
    if (!node.has_insert_stmt() && !node.has_merge_stmt() && !analysis.has_modifying_cte) return names;
    for (const RangeEntry& entry : analysis.entries) {
        if (!entry.target || !entry.table || entry.table->placement != placement) continue;
        for (const Column& column : entry.table->columns) {
            if (column.default_needs_home && column.default_sequence.empty()) return std::nullopt;
            if (column.default_needs_home) names.push_back(column.default_sequence);
        }
    }
    return names;
}

// currval() and lastval() beside sharded tables: they are asked first, on the home shard, and their values written in.
std::optional<Statement> plan_lifted_reads(const pg_query::Node& node, const QueryAnalysis& analysis) {
    if (!analysis.has_sequence_read || !analysis.touches_sharded || analysis.has_sequence_move || !reads_are_constant(node)) return std::nullopt;
    const auto moved = moved_sequences(node, analysis, Placement::kSharded);
    if (!moved) return std::nullopt;
    Statement statement = route_home(command_of(node));
    try {
        check_home_state(analysis);
    } catch (const PgError& refused) {
        statement.refusal = refused.error();
    }
    statement.plan = PlanKind::kRefuse;
    statement.lifts_reads = statement.reads_sequences = statement.pins = true;
    const auto* returned = returning_of(node);
    statement.returns_rows = node.has_select_stmt() || (returned && returned->size() > 0);
    statement.moved_sequences = *moved;
    return statement;
}

bool written_triggers(const QueryAnalysis& analysis) {
    return std::any_of(analysis.entries.begin(), analysis.entries.end(),
                       [](const RangeEntry& entry) { return entry.target && entry.table && entry.table->has_row_triggers; });
}

}  // namespace

const pg_query::RangeVar& target_of(const pg_query::Node& write) {
    switch (write.node_case()) {
        case pg_query::Node::kInsertStmt: return write.insert_stmt().relation();
        case pg_query::Node::kUpdateStmt: return write.update_stmt().relation();
        case pg_query::Node::kDeleteStmt: return write.delete_stmt().relation();
        default: return write.merge_stmt().relation();
    }
}

std::uint16_t returning_columns(const pg_query::Node& write, const QueryAnalysis& analysis) {
    const auto* list = returning_of(write);
    std::size_t columns = 0;
    for (int i = 0; list && i < list->size(); ++i) {
        const pg_query::Node& value = list->Get(i).res_target().val();
        const auto& fields = value.column_ref().fields();
        if (!value.has_column_ref() || fields.empty() || !fields[fields.size() - 1].has_a_star()) {
            ++columns;
            continue;
        }
        const std::string alias = fields.size() > 1 ? fields[fields.size() - 2].string().sval() : std::string();
        for (int index : analysis.levels[0].entries) {
            const RangeEntry& entry = analysis.entries[static_cast<std::size_t>(index)];
            if (alias.empty() || entry.alias == alias) columns += entry.columns.size();
        }
    }
    return static_cast<std::uint16_t>(columns);
}

Statement route_home(Command command) {
    Statement statement;
    statement.command = command;
    statement.plan = PlanKind::kRoute;
    statement.route.where = Route::Where::kHome;
    statement.reason = "only tables of the home shard, or none";
    return statement;
}

Statement route_to(Route route, std::string reason) {
    Statement statement;
    statement.plan = PlanKind::kRoute;
    statement.route = std::move(route);
    statement.reason = std::move(reason);
    return statement;
}

std::optional<Route> prove_route(const QueryAnalysis& analysis, int except) {
    Route route;
    route.where = Route::Where::kKey;
    bool first = true;
    for (int index : analysis.sharded()) {
        const RangeEntry& entry = analysis.entries[static_cast<std::size_t>(index)];
        if (index == except) continue;
        if (first) {
            route.group = entry.table->group;
            route.key_type = entry.table->columns[static_cast<std::size_t>(entry.table->key)].type;
            first = false;
        }
        if (entry.table->group != route.group) return std::nullopt;
        const auto values = analysis.key_values(index);
        if (!values) return std::nullopt;
        const auto same = [&](const KeyAlternatives& other) {
            return std::equal(other.begin(), other.end(), values->begin(), values->end(), [](const ValueRef& a, const ValueRef& b) {
                return a.from == b.from && a.index == b.index && a.constant.value == b.constant.value &&
                       a.constant.negative == b.constant.negative && a.constant.kind == b.constant.kind;
            });
        };
        if (std::none_of(route.keys.begin(), route.keys.end(), same)) route.keys.push_back(*values);
    }
    route.needs_home = analysis.touches_local || analysis.touches_unknown;
    return route;
}

bool may_diverge(const Route& route) {
    if (route.where != Route::Where::kKey) return false;
    if (route.needs_home || route.keys.size() != 1 || route.keys[0].size() != 1) return true;
    return route.keys[0][0].from == ValueRef::From::kParameter;
}

void check_home_state(const QueryAnalysis& analysis) {
    if (!analysis.has_sequence_function && !analysis.has_session_function) return;
    refuse("cannot use sequences or session functions in a query on sharded tables",
           "Sequences, advisory locks and the session's state live on the home shard.", "Call them in a statement of their own.");
}

void check_spread(const QueryAnalysis& analysis) {
    check_home_state(analysis);
    if (analysis.has_notify) {
        refuse("cannot call pg_notify() for rows of several shards", "Only one shard's part of a transaction can notify.",
               "Read the rows first, then call pg_notify() in a statement of its own.");
    }
    if (analysis.has_user_volatile) {
        refuse("function " + quoted(analysis.user_volatile_name) + " cannot run on several shards",
               "It is not IMMUTABLE: on each shard it could see that shard's rows only.",
               "Declare it IMMUTABLE if it reads no tables, or bind the query to one shard key.");
    }
}

Statement plan_query(const pg_query::Node& node, StatementText text, PlanContext& context) {
    if (node.has_select_stmt()) {
        const pg_query::SelectStmt& select = node.select_stmt();
        if (select.has_into_clause()) return plan_ddl(node, text, context);
        if (auto admin = plan_admin_call(select, context)) return std::move(*admin);
        if (auto set = plan_set_config(select)) return std::move(*set);
        if (auto own = plan_session_call(select)) return std::move(*own);
    }
    const auto analysis = analyze(node, context);
    Statement statement;
    check_admin_views(*analysis, statement);
    const std::vector<std::string> admin_views = std::move(statement.admin_views);
    const bool at_home = !admin_views.empty() && !analysis->spread_views.empty();
    if (auto lifted = plan_lifted_reads(node, *analysis)) return std::move(*lifted);
    check_functions(*analysis, context);
    const RangeEntry* target = main_target(*analysis);
    const auto on_shards = [&] {
        if (!analysis->touches_sharded) return without_sharded(node, *analysis, context);
        if (node.has_insert_stmt()) return plan_insert(node, *analysis, text, context);
        const bool reference = target && target->table && target->table->placement == Placement::kReference;
        return reference ? plan_reference_write(node, *analysis, context) : plan_write(node, *analysis, text, context);
    };
    const bool writes = !node.has_select_stmt() || analysis->has_modifying_cte;
    if (writes) check_calls_of_write(*analysis);
    if (node.has_select_stmt() && analysis->touches_sharded) statement = plan_select(node, *analysis, text, context);
    else if (writes) statement = or_on_workbench(node, *analysis, text, context, on_shards);
    else statement = on_shards();
    statement.command = command_of(node);
    statement.admin_views = admin_views;
    if (at_home) statement.route.where = Route::Where::kHome;
    const auto* returning = returning_of(node);
    statement.returns_rows = node.has_select_stmt() || (returning && returning->size() > 0);
    statement.writes = !node.has_select_stmt() || analysis->has_volatile || analysis->has_locking || analysis->has_modifying_cte;
    statement.runs_user_code |= analysis->has_user_function || analysis->has_session_setting || written_triggers(*analysis);
    const bool called_at_home = analysis->has_sequence_move && statement.plan == PlanKind::kRoute;
    statement.moves_sequences = called_at_home || fills_from_sequences(node, *analysis);
    statement.reads_sequences = analysis->has_sequence_read;
    if (!analysis->has_sequence_move) statement.moved_sequences = moved_sequences(node, *analysis, Placement::kLocal).value_or(std::vector<std::string>());
    statement.pins |= analysis->touches_temporary || analysis->has_session_lock || analysis->has_sequence_read;
    statement.notifies = analysis->has_notify;
    statement.unlocks = analysis->has_session_unlock;
    place_times(node, *analysis, text, statement);
    return statement;
}

}  // namespace pgmosaic::planner

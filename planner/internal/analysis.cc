#include "planner/internal/analysis.h"

#include <algorithm>

#include "planner/internal/analyzer.h"

namespace pgmosaic::planner {

namespace {

constexpr int kDepthMax = 64;

bool contains(const std::vector<ColumnNode>& nodes, ColumnNode node) {
    return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

bool contains(const std::vector<int>& entries, int entry) {
    return std::find(entries.begin(), entries.end(), entry) != entries.end();
}

// True if leaving out rows whose output column is something else cannot change the rows where it is not: the filter
// commutes with all that the level does behind its WHERE.
bool filters_through(const Level& level, ColumnNode column) {
    if (level.write || level.has_limit || level.has_windows || level.has_set_returning || level.recursive || level.has_grouping_sets) {
        return false;
    }
    if (level.has_distinct && !contains(level.distinct_columns, column)) return false;
    const bool grouped = level.has_group_by || level.has_aggregates;
    return !grouped || contains(level.group_columns, column);
}

// False if the rows of an entry are read by several references to one WITH query.
bool read_once(const QueryAnalysis& analysis, int entry) {
    for (int index = analysis.entries[static_cast<std::size_t>(entry)].level; index >= 0;) {
        const Level& level = analysis.levels[static_cast<std::size_t>(index)];
        if (level.references > 1) return false;
        index = level.entry >= 0 ? analysis.entries[static_cast<std::size_t>(level.entry)].level : level.parent;
    }
    return true;
}

}  // namespace

std::unique_ptr<QueryAnalysis> analyze(const pg_query::Node& statement, PlanContext& context) {
    auto analysis = std::make_unique<QueryAnalysis>();
    analysis->context = &context;
    Analyzer(context, *analysis).statement(statement, -1, Level::Role::kStatement);
    return analysis;
}

std::vector<int> QueryAnalysis::sharded() const {
    std::vector<int> found;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (is_split(entries[i])) found.push_back(static_cast<int>(i));
    }
    return found;
}

const Column* QueryAnalysis::base_column(ColumnNode node) const {
    for (int depth = 0; depth < kDepthMax && node.entry >= 0 && node.column >= 0; ++depth) {
        const RangeEntry& entry = entries[static_cast<std::size_t>(node.entry)];
        const auto column = static_cast<std::size_t>(node.column);
        if (entry.kind == RangeEntry::Kind::kTable || entry.kind == RangeEntry::Kind::kCall || (entry.kind == RangeEntry::Kind::kFunction && entry.table)) {
            return column < entry.table->columns.size() ? &entry.table->columns[column] : nullptr;
        }
        if (entry.kind != RangeEntry::Kind::kQuery) return nullptr;
        // A view says itself what its columns are.
        if (entry.table && column < entry.table->columns.size()) return &entry.table->columns[column];
        const Level* behind = &levels[static_cast<std::size_t>(entry.query)];
        while (!behind->operands.empty()) behind = &levels[static_cast<std::size_t>(behind->operands[0])];
        if (column >= behind->output_columns.size() || !behind->output_columns[column]) return nullptr;
        node = *behind->output_columns[column];
    }
    return nullptr;
}

// From a column to those that are equal to it in the rows that matter for state.base.
void QueryAnalysis::step(const State& from, std::vector<State>& to) const {
    const RangeEntry& base = entries[static_cast<std::size_t>(from.base)];
    for (const Fact& fact : facts) {
        if (!fact.right || fact.level != base.level || !contains(fact.valid_for, from.base)) continue;
        const auto visit = [&](ColumnNode other) {
            const bool outer = entries[static_cast<std::size_t>(other.entry)].level != base.level;
            // A call is made for rows of the entry whose column it gets: what holds for these holds for it.
            const bool moves = outer || base.kind == RangeEntry::Kind::kCall;
            to.push_back({moves ? other.entry : from.base, other});
        };
        if (fact.left == from.node) visit(*fact.right);
        else if (*fact.right == from.node) visit(fact.left);
    }
    // What a sub-query gives is what its own column holds.
    const RangeEntry& entry = entries[static_cast<std::size_t>(from.node.entry)];
    if (entry.kind == RangeEntry::Kind::kQuery) {
        const Level& behind = levels[static_cast<std::size_t>(entry.query)];
        const auto column = static_cast<std::size_t>(from.node.column);
        if (behind.operands.empty() && column < behind.output_columns.size() && behind.output_columns[column]) {
            to.push_back({behind.output_columns[column]->entry, *behind.output_columns[column]});
        }
    }
    step_out(from, to);
}

// From a sub-query's own column to the column of the entry that stands for it outside, where a filter outside may be made inside.
void QueryAnalysis::step_out(const State& from, std::vector<State>& to) const {
    int index = entries[static_cast<std::size_t>(from.node.entry)].level;
    const Level* level = &levels[static_cast<std::size_t>(index)];
    if (!filters_through(*level, from.node)) return;
    std::vector<std::size_t> positions;
    for (std::size_t i = 0; i < level->output_columns.size() && level->output_known; ++i) {
        if (level->output_columns[i] == from.node) positions.push_back(i);
    }
    while (level->role == Level::Role::kOperand) {
        index = level->parent;
        level = &levels[static_cast<std::size_t>(index)];
        if (level->has_limit || level->recursive) return;
    }
    if (level->in_test && std::find(positions.begin(), positions.end(), 0U) != positions.end()) to.push_back({level->in_test->entry, *level->in_test});
    if (level->entry < 0 || level->references != 1) return;
    for (std::size_t position : positions) {
        to.push_back({level->entry, ColumnNode{level->entry, static_cast<int>(position)}});
    }
}

std::vector<QueryAnalysis::State> QueryAnalysis::reach(ColumnNode node) const {
    std::vector<State> found{{node.entry, node}};
    for (std::size_t next = 0; next < found.size(); ++next) {
        std::vector<State> more;
        step(State(found[next]), more);
        for (const State& state : more) {
            const bool known = std::any_of(found.begin(), found.end(), [&](const State& each) {
                return each.base == state.base && each.node == state.node;
            });
            if (!known) found.push_back(state);
        }
    }
    return found;
}

std::vector<ColumnNode> QueryAnalysis::equal_columns(ColumnNode node) const {
    std::vector<ColumnNode> found;
    for (const State& state : reach(node)) {
        if (!contains(found, state.node)) found.push_back(state.node);
    }
    return found;
}

const pg_query::Node* QueryAnalysis::constant_column(ColumnNode node) const {
    if (node.entry < 0 || node.column < 0) return nullptr;
    const RangeEntry& entry = entries[static_cast<std::size_t>(node.entry)];
    if (entry.kind != RangeEntry::Kind::kQuery || entry.query < 0) return nullptr;
    const Level& behind = levels[static_cast<std::size_t>(entry.query)];
    const auto column = static_cast<std::size_t>(node.column);
    const bool plain = behind.operands.empty() && behind.output_known && !behind.from_view && column < behind.output.size();
    return plain && !behind.output_columns[column] ? behind.output[column] : nullptr;
}

std::optional<KeyAlternatives> QueryAnalysis::values(ColumnNode node) const {
    std::vector<int> within;
    return values(node, within);
}

std::optional<KeyAlternatives> QueryAnalysis::values(ColumnNode node, std::vector<int>& within) const {
    std::optional<KeyAlternatives> best;
    if (--looks_ < 0) return best;
    const auto consider = [&](const std::optional<KeyAlternatives>& values) {
        if (values && !values->empty() && (!best || values->size() < best->size())) best = *values;
    };
    for (const State& state : reach(node)) {
        const int level = entries[static_cast<std::size_t>(state.base)].level;
        for (const Fact& fact : facts) {
            if (fact.right || fact.level != level || fact.left != state.node || !contains(fact.valid_for, state.base)) continue;
            consider(fact.values);
        }
        const RangeEntry& entry = entries[static_cast<std::size_t>(state.node.entry)];
        if (entry.kind == RangeEntry::Kind::kQuery) consider(output_values(entry.query, state.node.column, within));
    }
    return best;
}

// What a sub-query's column can be at all: a constant, or one of each operand's.
std::optional<KeyAlternatives> QueryAnalysis::output_values(int index, int column, std::vector<int>& within) const {
    const Level& level = levels[static_cast<std::size_t>(index)];
    if (level.recursive || contains(within, index)) return std::nullopt;
    const auto at = static_cast<std::size_t>(column);
    if (level.operands.empty()) {
        // A plain column was reached already, where one level alone is asked; an operand's is asked here.
        if (!level.output_known || at >= level.output.size()) return std::nullopt;
        if (level.output_columns[at]) {
            return level.role == Level::Role::kOperand ? values(*level.output_columns[at], within) : std::nullopt;
        }
        if (!level.output[at] || level.from_view) return std::nullopt;
        const auto family = constant_family(*level.output[at]);
        const auto value = family ? context->key_value_of(*level.output[at], *family) : std::nullopt;
        if (!value) return std::nullopt;
        return KeyAlternatives{*value};
    }
    within.push_back(index);
    std::optional<KeyAlternatives> all{std::in_place};
    for (int operand : level.operands) {
        const auto values = all ? output_values(operand, column, within) : std::nullopt;
        if (values) all->insert(all->end(), values->begin(), values->end());
        else all.reset();
    }
    within.pop_back();
    return all;
}

std::optional<KeyAlternatives> QueryAnalysis::key_values(int index) const {
    const RangeEntry& entry = entries[static_cast<std::size_t>(index)];
    if (!is_split(entry) || entry.table->key < 0) return std::nullopt;
    const Column& key = entry.table->columns[static_cast<std::size_t>(entry.table->key)];
    auto found = values(ColumnNode{index, entry.table->key});
    if (!found) return std::nullopt;
    for (const ValueRef& value : *found) {
        if (value.from == ValueRef::From::kParameter) continue;
        if (canonical_key(context->literal_of(value), key.type, key.typmod)) continue;
        if (value.from == ValueRef::From::kLiteral) context->consulted.push_back(value.index);
        return std::nullopt;
    }
    for (const ValueRef& value : *found) {
        if (value.from == ValueRef::From::kLiteral) context->key_slots.push_back({value.index, key.type, key.typmod});
    }
    return found;
}

std::optional<ColumnNode> QueryAnalysis::resolve(const pg_query::Node& expression, int level) const {
    if (!expression.has_column_ref()) return std::nullopt;
    auto& self = const_cast<QueryAnalysis&>(*this);  // the analyzer only reads here
    bool unknown = false;
    return Analyzer(*context, self).find_column(expression.column_ref(), level, unknown);
}

bool QueryAnalysis::tied_to(int leader, int except) const {
    const std::vector<int> tables = sharded();
    // Two readers of one WITH query are two tables, of which only one is known here.
    const bool once = std::all_of(tables.begin(), tables.end(), [&](int each) { return each == except || read_once(*this, each); });
    if (!once) return false;
    const GroupId group = entries[static_cast<std::size_t>(leader)].table->group;
    std::vector<int> tied{leader};
    for (bool grown = true; grown;) {
        grown = false;
        for (int each : tables) {
            const Table& table = *entries[static_cast<std::size_t>(each)].table;
            if (contains(tied, each) || table.group != group) continue;
            const std::vector<ColumnNode> equal = equal_columns({each, table.key});
            const bool reaches = std::any_of(tied.begin(), tied.end(), [&](int other) {
                return contains(equal, ColumnNode{other, entries[static_cast<std::size_t>(other)].table->key});
            });
            if (reaches) tied.push_back(each), grown = true;
        }
    }
    return std::all_of(tables.begin(), tables.end(), [&](int each) { return each == except || contains(tied, each); });
}

bool QueryAnalysis::colocated() const {
    const std::vector<int> tables = sharded();
    return tables.empty() || std::any_of(tables.begin(), tables.end(), [&](int leader) { return tied_to(leader); });
}

}  // namespace pgmosaic::planner

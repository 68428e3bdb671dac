#include "planner/internal/select_workbench.h"

#include <algorithm>
#include <utility>

#include "planner/internal/select_build.h"
#include "planner/internal/select_types.h"
#include "planner/planner.h"

namespace pgmosaic::planner {

namespace {

using pg_query::Node;

constexpr std::string_view kSystemColumns[] = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"};

// Functions that read a row as a whole and whose result does not tell its type's name.
constexpr std::string_view kRowReaders[] = {"count", "row_to_json", "to_json", "to_jsonb", "json_agg", "jsonb_agg"};

constexpr std::string_view kFinishes = "The statement is finished on the workbench, a PostgreSQL that has the rows but no other tables and no catalog of theirs.";

[[noreturn]] void cannot_finish(std::string what, std::string hint = "Bind every sharded table to one value of its shard key.") {
    throw PgError(refusal(std::move(what), std::string(kFinishes), std::move(hint)));
}

[[noreturn]] void unknown_relation(const pg_query::RangeVar& relation) {
    const std::string& schema = relation.schemaname();
    if (schema == "pg_catalog" || schema == "information_schema" || schema == "mosaic" || relation.relname().substr(0, 3) == "pg_") {
        throw PgError(refusal("cannot join \"" + relation.relname() + "\" with sharded tables",
                              "System catalogs and views are those of one server, the rows of a sharded table are on several.",
                              "Ask for them in two statements."));
    }
    const std::string name = schema.empty() ? relation.relname() : schema + "." + relation.relname();
    throw PgError(Error{.code = sqlstate::kUndefinedTable, .message = "relation \"" + name + "\" does not exist",
                        .position = relation.location() + 1});
}

// What a pulled table must be called so that its columns' names hold; empty if the text says it.
std::string new_alias(const pg_query::RangeVar& relation) {
    return relation.has_alias() ? std::string() : quote_identifier(relation.relname());
}

void check_function(const pg_query::FuncCall& call, const PlanContext& context) {
    const QualifiedName name = name_of(call.funcname());
    const FunctionTraits traits = traits_of(call, context.catalog, context.environment.search_path);
    if (traits.user && traits.reach != Reach::kNone) {
        cannot_finish("function \"" + name.name + "\", which may read tables, cannot be used on rows of several shards");
    }
    if (depends_on_server(name.name)) cannot_finish("function \"" + name.name + "\" cannot be used beside sharded tables");
}

void check_type(const pg_query::TypeName& type) {
    const std::string name = type.names().empty() ? std::string() : name_of(type.names()).name;
    if (name.substr(0, 3) == "reg") cannot_finish("type " + name + " cannot be used beside sharded tables");
}

void check_node(const google::protobuf::Message& message, const PlanContext& context) {
    if (const auto* call = as<pg_query::FuncCall>(message)) check_function(*call, context);
    if (const auto* type = as<pg_query::TypeName>(message)) check_type(*type);
}

}  // namespace

bool depends_on_server(std::string_view name) {
    static constexpr std::string_view kPrefixes[] = {"pg_", "has_", "to_reg", "inet_server", "obj_description", "col_description", "shobj_", "lo_", "txid_"};
    static constexpr std::string_view kHarmless[] = {"pg_typeof", "pg_sleep", "pg_column_size", "pg_size_pretty", "pg_size_bytes", "pg_client_encoding"};
    if (one_of(name, kHarmless)) return false;
    return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                       [&](std::string_view prefix) { return name.substr(0, prefix.size()) == prefix; });
}

void check_workbench_has(const google::protobuf::Message& tree, const PlanContext& context) {
    walk(tree, [&](const google::protobuf::Message& message) {
        check_node(message, context);
        return true;
    });
}

WorkbenchPlanner::WorkbenchPlanner(const QueryAnalysis& analysis, PlanContext& context) : analysis_(analysis), context_(context) {
    collect_entries();
}

void WorkbenchPlanner::collect_entries() {
    if (!analysis_.call_name.empty()) {
        throw PgError(refusal("cannot call the distributed function \"" + analysis_.call_name + "\" in this query",
                              "Its rows would be brought together elsewhere, and the function runs on the shards only.",
                              "Give it a value or a table's shard key as its key argument, or call it in a statement of its own."));
    }
    for (const RangeEntry& entry : analysis_.entries) {
        if (entry.range_var) by_range_var_[entry.range_var] = &entry;
        if (entry.kind == RangeEntry::Kind::kUnknownTable) unknown_relation(*entry.range_var);
        if (entry.kind != RangeEntry::Kind::kTable) continue;
        if (entry.table->has_row_security && analysis_.levels[static_cast<std::size_t>(entry.level)].from_view) {
            cannot_finish("a view over table \"" + entry.table->name + "\" cannot be read here, because the table has row security");
        }
        const Node* write = analysis_.levels[static_cast<std::size_t>(entry.level)].write;
        if (entry.target && write->has_insert_stmt()) {
            const bool first = into_.emplace(entry.table, "into_" + std::to_string(into_.size() + 1)).second;
            if (first) insert_targets_.push_back(entry.table);
            continue;
        }
        if (entry.target) targets_.push_back({entry.table, entry.range_var->inh()});
        PulledTable& table = tables_[{entry.table, entry.range_var->inh()}];
        if (table.name.empty()) table.name = "pull_" + std::to_string(tables_.size());
        ++table.occurrences;
        table.entry = &entry;
        table.target |= entry.target;
        // A column alias list counts columns from the first one.
        table.all_columns |= entry.range_var->alias().colnames_size() > 0;
    }
    for (const Level& level : analysis_.levels) {
        for (const ColumnNode& node : level.group_columns) {
            const RangeEntry& entry = analysis_.entries[static_cast<std::size_t>(node.entry)];
            if (entry.kind != RangeEntry::Kind::kTable || entry.table->unique_keys.empty() || entry.table->partitioned_or_inherited) continue;
            const std::vector<int>& key = entry.table->unique_keys.front();
            const bool grouped = std::all_of(key.begin(), key.end(), [&](int column) {
                const ColumnNode wanted{node.entry, column};
                return column >= 0 && entry.table->columns[static_cast<std::size_t>(column)].not_null &&
                       std::find(level.group_columns.begin(), level.group_columns.end(), wanted) != level.group_columns.end();
            });
            if (grouped) tables_[{entry.table, entry.range_var->inh()}].primary_key = true;
        }
    }
}

Workbench WorkbenchPlanner::plan(const pg_query::SelectStmt& select, std::optional<SelectText> text) {
    Workbench plan;
    collect_target_stars();
    std::optional<TextEdits> edits;
    if (text) edits.emplace(text->text, text->offset);
    edits_ = edits ? &*edits : nullptr;
    pg_query::SelectStmt copy = select;
    rewrite(select, copy);
    edits_ = nullptr;
    for (const auto& [source, table] : tables_) plan.pulls.push_back(pull(source, table));
    const auto edited = edits ? edits->result() : std::nullopt;
    plan.final_sql = edited ? *edited : write_select(std::move(copy));
    return plan;
}

// A star in a select list means the tables of its own FROM only.
void WorkbenchPlanner::collect_target_stars() {
    for (const Level& level : analysis_.levels) {
        if (!level.select) continue;
        for (const Node& target : level.select->target_list()) {
            if (!is_star(target.res_target().val())) continue;
            const pg_query::ColumnRef& star = target.res_target().val().column_ref();
            target_stars_.insert(&star);
            const std::string qualifier = star.fields_size() > 1 ? star.fields(star.fields_size() - 2).string().sval() : std::string();
            for (int index : level.entries) {
                const RangeEntry& entry = analysis_.entries[static_cast<std::size_t>(index)];
                if (entry.kind != RangeEntry::Kind::kTable || (!qualifier.empty() && entry.alias != qualifier)) continue;
                tables_[{entry.table, entry.range_var->inh()}].all_columns = true;
            }
        }
    }
}

void WorkbenchPlanner::need_columns_of(const std::string& alias) {
    for (const RangeEntry& entry : analysis_.entries) {
        if (entry.kind != RangeEntry::Kind::kTable || (!alias.empty() && entry.alias != alias)) continue;
        const auto found = tables_.find({entry.table, entry.range_var->inh()});
        if (found != tables_.end()) found->second.all_columns = true;
    }
}

void WorkbenchPlanner::rewrite(const Message& original, Message& copy) {
    walk_both(original, copy, [this](const Message& from, Message& to) { return visit(from, to); });
}

bool WorkbenchPlanner::visit(const Message& original, Message& copy) {
    if (const auto* node = as<Node>(original); node && node->has_range_var()) {
        relation(node->range_var(), *as<Node>(copy));
        return false;
    }
    if (const auto* target = as<pg_query::RangeVar>(original)) {
        target_relation(*target, *as<pg_query::RangeVar>(copy));
        return false;
    }
    if (const auto* reference = as<pg_query::ColumnRef>(original)) {
        column(*reference, *as<pg_query::ColumnRef>(copy));
        return false;
    }
    if (as<pg_query::IntoClause>(original)) {
        throw PgError(refusal("SELECT INTO over several shards is not supported", {}, "Use CREATE TABLE and INSERT INTO ... SELECT."));
    }
    check_node(original, context_);
    if (const auto* call = as<pg_query::FuncCall>(original)) {
        allow_whole_rows(*call);
    } else if (const auto* join = as<pg_query::JoinExpr>(original)) {
        for (const Node& name : join->using_clause()) column_names_.insert(name.string().sval());
        if (join->is_natural()) need_columns_of({});
    } else if (as<pg_query::RangeTableSample>(original)) {
        cannot_finish("TABLESAMPLE is not supported here");
    }
    return true;
}

void WorkbenchPlanner::relation(const pg_query::RangeVar& original, Node& copy) {
    const auto found = by_range_var_.find(&original);
    if (found == by_range_var_.end()) cannot_finish("relation \"" + original.relname() + "\" cannot be read here");
    const RangeEntry& entry = *found->second;
    if (entry.cte) return;
    if (entry.kind == RangeEntry::Kind::kQuery) return inline_view(entry, original, copy);
    const std::string& name = tables_[{entry.table, original.inh()}].name;
    pg_query::RangeVar& replaced = *copy.mutable_range_var();
    if (!replaced.has_alias()) replaced.mutable_alias()->set_aliasname(original.relname());
    replaced.set_schemaname("pg_temp");
    replaced.set_relname(name);
    replaced.set_inh(true);
    if (edits_) edits_->replace_relation(original.location(), "pg_temp." + name, new_alias(original));
}

void WorkbenchPlanner::inline_view(const RangeEntry& entry, const pg_query::RangeVar& original, Node& copy) {
    const Level& level = analysis_.levels[static_cast<std::size_t>(entry.query)];
    if (!level.select) cannot_finish("view \"" + entry.table->name + "\" cannot be read here");
    pg_query::RangeSubselect subselect;
    *subselect.mutable_subquery()->mutable_select_stmt() = *level.select;
    TextEdits definition(entry.table->view_definition, 0);
    TextEdits* outer = std::exchange(edits_, edits_ ? &definition : nullptr);
    rewrite(*level.select, *subselect.mutable_subquery()->mutable_select_stmt());
    edits_ = outer;
    *subselect.mutable_alias() = original.alias();
    if (!original.has_alias()) subselect.mutable_alias()->set_aliasname(original.relname());
    *copy.mutable_range_subselect() = std::move(subselect);
    if (!edits_) return;
    if (const auto text = definition.result()) edits_->replace_relation(original.location(), "(" + *text + ")", new_alias(original));
    else edits_->give_up();
}

void WorkbenchPlanner::column(const pg_query::ColumnRef& original, pg_query::ColumnRef& copy) {
    const auto& fields = original.fields();
    if (fields.size() > 2) {  // schema.table.column: the pulled table is called by its alias
        copy.mutable_fields()->DeleteSubrange(0, fields.size() - 2);
        if (edits_) edits_->drop_qualifiers(original.location(), fields.size(), fields.size() - 2);
    }
    const Node& last = fields[fields.size() - 1];
    if (last.has_a_star()) {
        if (target_stars_.count(&original) == 0) need_columns_of(fields.size() > 1 ? fields[fields.size() - 2].string().sval() : std::string());
        return;
    }
    const std::string& name = last.string().sval();
    column_names_.insert(name);
    const auto has_column = [&](const RangeEntry& entry) {
        return std::find(entry.columns.begin(), entry.columns.end(), name) != entry.columns.end();
    };
    const bool is_column = std::any_of(analysis_.entries.begin(), analysis_.entries.end(), has_column);
    if (one_of(name, kSystemColumns) && !is_column) cannot_finish("system column \"" + name + "\" has no meaning over several shards");
    const bool is_alias = fields.size() == 1 && std::any_of(analysis_.entries.begin(), analysis_.entries.end(), [&](const RangeEntry& entry) {
        return entry.kind == RangeEntry::Kind::kTable && entry.alias == name;
    });
    if (!is_alias) return;
    need_columns_of(name);
    if (!is_column && whole_rows_allowed_.count(&original) == 0) {
        cannot_finish("a row of table \"" + name + "\" as a value is not supported here", "Name its columns.");
    }
}

// count(t), row_to_json(t) …
void WorkbenchPlanner::allow_whole_rows(const pg_query::FuncCall& call) {
    if (!one_of(name_of(call.funcname()).name, kRowReaders)) return;
    for (const Node& argument : call.args()) {
        if (argument.has_column_ref()) whole_rows_allowed_.insert(&argument.column_ref());
    }
}

std::vector<int> WorkbenchPlanner::column_list(const Source& source, const PulledTable& table) const {
    std::vector<int> columns;
    const std::vector<Column>& all = source.first->columns;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (table.all_columns || column_names_.count(all[i].name) > 0) columns.push_back(static_cast<int>(i));
    }
    if (columns.empty() && !all.empty()) columns.push_back(std::max(source.first->key, 0));  // rows are counted: one column carries them
    return columns;
}

std::string WorkbenchPlanner::definition(const Source& source, const PulledTable& table, const std::vector<int>& columns) const {
    std::string text;
    for (int index : columns) {
        const Column& column = source.first->columns[static_cast<std::size_t>(index)];
        if (!text.empty()) text += ", ";
        text += quote_identifier(column.name) + " " + column.type_name;
        if (!column.collation_name.empty()) text += " COLLATE " + column.collation_name;
    }
    return table.primary_key ? text + key_definition(*source.first) : text;
}

std::string WorkbenchPlanner::key_definition(const Table& table) {
    std::string text = ", PRIMARY KEY (";
    for (int index : table.unique_keys.front()) {
        if (text.back() != '(') text += ", ";
        text += quote_identifier(table.columns[static_cast<std::size_t>(index)].name);
    }
    return text + ")";
}

// A condition that names this table only and that the row must meet to matter at all.
bool WorkbenchPlanner::may_push(const Conjunct& conjunct, const RangeEntry& entry, int index) const {
    const bool simple = !conjunct.uses_outer && !conjunct.uses_unknown && !conjunct.has_sublink && !conjunct.has_volatile;
    if (!simple || entry.nullable || conjunct.uses != std::vector<int>{index}) return false;
    if (std::find(conjunct.valid_for.begin(), conjunct.valid_for.end(), index) == conjunct.valid_for.end()) return false;
    bool immutable = true;
    walk(*conjunct.condition, [&](const Message& message) {
        if (const auto* call = as<pg_query::FuncCall>(message)) {
            immutable &= traits_of(*call, context_.catalog, context_.environment.search_path).volatility == 'i';
        }
        immutable &= !as<pg_query::SQLValueFunction>(message);
        immutable &= !parameters_stay_ || !as<pg_query::ParamRef>(message);
        return immutable;
    });
    return immutable;
}

std::string WorkbenchPlanner::filters(const PulledTable& table) const {
    if (table.occurrences != 1 || table.entry->range_var->alias().colnames_size() > 0) return {};
    const auto index = static_cast<int>(table.entry - analysis_.entries.data());
    std::string text;
    for (const Conjunct& conjunct : analysis_.levels[static_cast<std::size_t>(table.entry->level)].conjuncts) {
        if (!may_push(conjunct, *table.entry, index)) continue;
        try {
            text += (text.empty() ? " WHERE (" : " AND (") + write_expression(*conjunct.condition) + ")";
        } catch (const PgError&) {
            continue;  // it cannot be written alone; the statement itself has it
        }
    }
    return text;
}

Pull WorkbenchPlanner::pull(const Source& source, const PulledTable& table) {
    const Table& from = *source.first;
    const std::vector<int> columns = column_list(source, table);
    Pull pull{.name = table.name, .definition = definition(source, table, columns)};
    for (int index : columns) {
        if (!pull.shard_sql.empty()) pull.shard_sql += ", ";
        pull.shard_sql += quote_identifier(from.columns[static_cast<std::size_t>(index)].name);
    }
    const std::string schema = from.temporary ? "pg_temp" : from.schema;
    pull.shard_sql = "SELECT " + pull.shard_sql + " FROM " + (source.second ? "" : "ONLY ") + quote_identifier(schema) + "." +
                     quote_identifier(from.name) + " AS " + quote_identifier(table.entry->alias) + filters(table);
    pull.from = from.placement == Placement::kSharded ? Pull::From::kAllShards : Pull::From::kHome;
    return pull;
}

}  // namespace pgmosaic::planner

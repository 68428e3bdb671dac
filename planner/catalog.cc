#include "planner/catalog.h"

#include <algorithm>
#include <boost/json.hpp>

#include "planner/internal/code.h"
#include "planner/internal/functions.h"
#include "planner/internal/tree.h"

namespace pgmosaic::planner {

namespace {

namespace json = boost::json;

std::string text(const json::value& value) { return value.is_null() ? std::string() : std::string(value.as_string()); }

std::string lower_case(std::string name) {
    for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    }
    return name;
}

char character(const json::value& value) {
    const std::string read = text(value);
    return read.empty() ? '\0' : read[0];
}

Oid oid(const json::value& value) { return static_cast<Oid>(value.to_number<std::int64_t>()); }

int column_of(const std::vector<int>& numbers, std::int64_t attribute) {
    const auto found = std::find(numbers.begin(), numbers.end(), static_cast<int>(attribute));
    return found == numbers.end() ? -1 : static_cast<int>(found - numbers.begin());
}

// [attnum, name, type, typmod, collation, type name, not null, generated, identity, default, nondeterministic, collation name]
Column read_column(const json::array& from) {
    Column column;
    column.name = text(from.at(1));
    column.type = oid(from.at(2));
    column.typmod = from.at(3).to_number<std::int32_t>();
    column.collation = oid(from.at(4));
    column.type_name = text(from.at(5));
    column.not_null = from.at(6).as_bool();
    column.generated = from.at(7).as_bool();
    column.identity = character(from.at(8));
    column.default_expr = text(from.at(9));
    column.nondeterministic = from.size() > 10 && from.at(10).is_bool() && from.at(10).as_bool();
    if (from.size() > 11) column.collation_name = text(from.at(11));
    return column;
}

void read_unique_keys(const json::value& from, const std::vector<int>& numbers, Table& table) {
    if (from.is_null()) return;
    for (const json::value& key : from.as_array()) {
        std::vector<int> columns;
        for (const json::value& attribute : key.as_array()) columns.push_back(column_of(numbers, attribute.to_number<int>()));
        table.unique_keys.push_back(std::move(columns));
    }
}

void read_placement(const json::object& from, const std::vector<int>& numbers, Table& table) {
    const char placement = character(from.at("placement"));
    if (placement == 'r') table.placement = Placement::kReference;
    if (placement != 's') return;
    table.placement = Placement::kSharded;
    table.group = GroupId{from.at("group").to_number<std::uint32_t>()};
    table.key = column_of(numbers, from.at("key").to_number<int>());
}

bool flag(const json::object& from, const char* name) {
    const json::value* value = from.if_contains(name);
    return value && value->is_bool() && value->as_bool();
}

Table read_table(const json::object& from) {
    Table table;
    table.oid = oid(from.at("oid"));
    table.schema = text(from.at("schema"));
    table.name = text(from.at("name"));
    table.kind = character(from.at("kind"));
    table.temporary = flag(from, "temporary");
    std::vector<int> numbers;
    if (!from.at("columns").is_null()) {
        for (const json::value& column : from.at("columns").as_array()) {
            numbers.push_back(column.as_array().at(0).to_number<int>());
            table.columns.push_back(read_column(column.as_array()));
        }
    }
    read_unique_keys(from.at("unique"), numbers, table);
    read_placement(from, numbers, table);
    table.has_row_triggers = flag(from, "triggers");
    table.has_row_security = flag(from, "row_security");
    table.partitioned_or_inherited = flag(from, "inherited");
    table.hidden = flag(from, "hidden");
    table.view_definition = text(from.at("view"));
    return table;
}

std::vector<Oid> read_parents(const json::object& from) {
    std::vector<Oid> parents;
    const json::value* list = from.if_contains("parents");
    if (!list || list->is_null()) return parents;
    for (const json::value& parent : list->as_array()) parents.push_back(oid(parent));
    return parents;
}

// What an expression's functions say about it.
struct DefaultTraits {
    bool immutable = true;
    bool needs_home = false;
};

// nextval('…'::regclass), whoever may cast around it.
std::string sequence_of(const std::string& expression) {
    ParsedTree tree;
    parse("SELECT " + expression, tree);
    if (!tree.result) return {};
    const pg_query::Node* value = &tree.result->stmts(0).stmt().select_stmt().target_list(0).res_target().val();
    while (value->has_type_cast()) value = &value->type_cast().arg();
    if (!value->has_func_call() || name_of(value->func_call().funcname()).name != "nextval" || value->func_call().args_size() != 1) return {};
    const pg_query::Node* name = &value->func_call().args(0);
    while (name->has_type_cast()) name = &name->type_cast().arg();
    return name->has_a_const() && name->a_const().has_sval() ? name->a_const().sval().sval() : std::string();
}

DefaultTraits judge(const std::string& expression, const Catalog& catalog) {
    DefaultTraits traits;
    ParsedTree tree;
    parse("SELECT " + expression, tree);
    if (!tree.result) return {false, true};
    walk(*tree.result, [&](const google::protobuf::Message& message) {
        if (as<pg_query::SQLValueFunction>(message)) traits.immutable = false;
        if (const auto* call = as<pg_query::FuncCall>(message)) {
            const FunctionTraits function = traits_of(*call, catalog, {"public"});
            if (function.volatility != 'i') traits.immutable = false;
            if (is_sequence_function(name_of(call->funcname()).name)) traits.needs_home = true;
            if (function.user && function.volatility != 'i' && function.reach != Reach::kNone) traits.needs_home = true;
        }
        return true;
    });
    return traits;
}

}  // namespace

namespace {

// [way, argument from 1, its name, key's type, group, result columns]
FunctionSpread read_spread(const json::array& from) {
    FunctionSpread spread;
    const char way = character(from.at(0));
    spread.way = way == 'k' ? FunctionSpread::Way::kKey : way == 'a' ? FunctionSpread::Way::kAll : FunctionSpread::Way::kAny;
    if (!from.at(1).is_null()) spread.argument = from.at(1).to_number<int>() - 1;
    spread.argument_name = text(from.at(2));
    if (!from.at(3).is_null()) spread.key_type = oid(from.at(3));
    if (!from.at(4).is_null()) spread.group = GroupId{from.at(4).to_number<std::uint32_t>()};
    if (from.at(5).is_null()) return spread;
    for (const json::value& column : from.at(5).as_array()) spread.columns.push_back(read_column(column.as_array()));
    return spread;
}

// [schema, name, kind, volatility, language, source, inputs, spread]
Function read_function(const json::array& from) {
    Function function{.schema = text(from.at(0)), .name = text(from.at(1)), .kind = character(from.at(2)),
                      .volatility = character(from.at(3))};
    if (from.size() > 5) {
        function.language = text(from.at(4));
        function.source = text(from.at(5));
    }
    if (from.size() > 7) {
        function.inputs = from.at(6).to_number<int>();
        if (!from.at(7).is_null()) function.spread = read_spread(from.at(7).as_array());
    }
    return function;
}

}  // namespace

Result<std::shared_ptr<const Catalog>> Catalog::from_json(std::string_view document, std::uint64_t version) {
    try {
        const json::value parsed = json::parse(json::string_view(document.data(), document.size()));
        auto catalog = std::make_shared<Catalog>();
        catalog->version_ = version;
        catalog->has_user_operators_ = flag(parsed.as_object(), "user_operators");
        catalog->default_collation_is_c_ = flag(parsed.as_object(), "default_collation_is_c");
        std::vector<std::vector<Oid>> parents;
        if (const json::value& tables = parsed.at("tables"); !tables.is_null()) {
            for (const json::value& table : tables.as_array()) {
                catalog->add(read_table(table.as_object()));
                parents.push_back(read_parents(table.as_object()));
            }
        }
        if (const json::value& functions = parsed.at("functions"); !functions.is_null()) {
            for (const json::value& each : functions.as_array()) {
                Function function = read_function(each.as_array());
                std::vector<Function>& overloads = catalog->functions_[function.name];
                if (overloads.empty()) catalog->function_names_[lower_case(function.name)].push_back(function.name);
                overloads.push_back(std::move(function));
            }
        }
        catalog->inherit_placements(parents);
        catalog->judge_functions();
        catalog->judge_defaults();
        return std::shared_ptr<const Catalog>(std::move(catalog));
    } catch (const std::exception& failure) {
        return Error{.message = std::string("catalog snapshot could not be read: ") + failure.what()};
    }
}

void Catalog::add(Table table) {
    by_name_[table.name].push_back(tables_.size());
    by_lower_name_[lower_case(table.name)].push_back(tables_.size());
    by_oid_[table.oid] = tables_.size();
    tables_.push_back(std::move(table));
}

// A partition stands where its parent stands, under the same key.
void Catalog::inherit_placements(const std::vector<std::vector<Oid>>& parents) {
    for (bool changed = true; changed;) {
        changed = false;
        for (std::size_t i = 0; i < tables_.size(); ++i) {
            Table& child = tables_[i];
            for (Oid each : parents[i]) {
                const Table* parent = find_table(each);
                if (!parent || child.placement != Placement::kLocal || parent->placement == Placement::kLocal) continue;
                child.placement = parent->placement;
                child.group = parent->group;
                for (std::size_t c = 0; parent->key >= 0 && c < child.columns.size(); ++c) {
                    if (child.columns[c].name == parent->columns[static_cast<std::size_t>(parent->key)].name) {
                        child.key = static_cast<int>(c);
                    }
                }
                changed = true;
            }
        }
    }
    has_sharded_tables_ = std::any_of(tables_.begin(), tables_.end(),
                                      [](const Table& table) { return table.placement == Placement::kSharded; });
}

// A function reaches what the functions that it calls reach: repeated until nothing changes, starting from "nothing".
void Catalog::judge_functions() {
    std::vector<Function*> readable;
    for (auto& [name, functions] : functions_) {
        for (Function& function : functions) {
            // C functions come with extensions, and take their arguments; the few that reach out are not ours to guard.
            const bool native = function.language == "c" || function.language == "internal" || function.kind == 'a';
            const bool known = function.language == "sql" || function.language == "plpgsql";
            function.reach = native || known ? Reach::kNone : Reach::kUnknown;
            if (known && function.kind != 'a') readable.push_back(&function);
        }
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (Function* function : readable) {
            const Reach reach = reach_of(function->source, *this);
            changed |= reach > function->reach;
            function->reach = std::max(function->reach, reach);
        }
    }
    for (Function* function : readable) function->source.clear();
}

void Catalog::judge_defaults() {
    for (Table& table : tables_) {
        for (Column& column : table.columns) {
            // Plain constants, by far the most common, need no parser.
            const std::string& expression = column.default_expr;
            const bool may_call = expression.find('(') != std::string::npos || expression.find("CURRENT_") != std::string::npos ||
                                  expression.find("LOCALTIME") != std::string::npos || expression.find("USER") != std::string::npos;
            if (!may_call) continue;
            const DefaultTraits traits = judge(expression, *this);
            column.default_is_volatile = !traits.immutable;
            column.default_needs_home = traits.needs_home;
            if (traits.needs_home) column.default_sequence = sequence_of(expression);
        }
    }
}

bool has_home_defaults(const Table& table) {
    return std::any_of(table.columns.begin(), table.columns.end(), [](const Column& column) { return column.default_needs_home; });
}

const Table* Catalog::find_table(std::string_view schema, std::string_view name,
                                 const std::vector<std::string>& search_path) const {
    const auto found = by_name_.find(std::string(name));
    if (found == by_name_.end()) return nullptr;
    const auto in = [&](std::string_view wanted) -> const Table* {
        for (std::size_t index : found->second) {
            if (visible_in(tables_[index], wanted)) return &tables_[index];
        }
        return nullptr;
    };
    if (!schema.empty()) return in(schema);
    if (const Table* temporary = in("pg_temp")) return temporary;
    for (const std::string& wanted : search_path) {
        const Table* table = in(wanted);
        if (table) return table->hidden ? nullptr : table;
    }
    return nullptr;
}

bool Catalog::visible_in(const Table& table, std::string_view schema) const {
    return table.temporary ? schema.substr(0, 7) == "pg_temp" : table.schema == schema;
}

const Table* Catalog::find_table(Oid oid) const {
    const auto found = by_oid_.find(oid);
    return found == by_oid_.end() ? nullptr : &tables_[found->second];
}

std::vector<const Table*> Catalog::tables_called(const std::string& lower_case) const {
    std::vector<const Table*> result;
    const auto found = by_lower_name_.find(lower_case);
    if (found == by_lower_name_.end()) return result;
    for (std::size_t index : found->second) result.push_back(&tables_[index]);
    return result;
}

Reach Catalog::reach_of_functions_called(const std::string& lower_case) const {
    Reach reach = Reach::kNone;
    const auto found = function_names_.find(lower_case);
    if (found == function_names_.end()) return reach;
    for (const std::string& name : found->second) {
        for (const Function& function : functions_.at(name)) reach = std::max(reach, function.reach);
    }
    return reach;
}

std::vector<const Function*> Catalog::find_functions(std::string_view name) const {
    std::vector<const Function*> result;
    const auto found = functions_.find(std::string(name));
    if (found == functions_.end()) return result;
    for (const Function& function : found->second) result.push_back(&function);
    return result;
}

}  // namespace pgmosaic::planner

#include <algorithm>
#include <set>

#include "planner/internal/code.h"
#include "planner/internal/functions.h"
#include "planner/internal/statement.h"
#include "planner/plan_details.h"

namespace pgmosaic::planner {

namespace {

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    }
    return result;
}

// Every word of a body, also those within strings (dynamic SQL is put together from them).
std::set<std::string> words_of(std::string_view source) {
    std::set<std::string> words;
    std::string word;
    const auto end = [&] {
        if (!word.empty()) words.insert(lower(word));
        word.clear();
    };
    for (char c : source) {
        const bool part = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' || (c & 0x80);
        if (part) word.push_back(c);
        else end();
    }
    end();
    return words;
}

bool any(const std::set<std::string>& words, std::initializer_list<const char*> wanted) {
    return std::any_of(wanted.begin(), wanted.end(), [&](const char* word) { return words.count(word) > 0; });
}

const char* const kOptionWords[] = {"execute", "query_to_xml", "table_to_xml", "dblink"};

}  // namespace

Reach reach_of(std::string_view source, const Catalog& catalog) {
    const std::set<std::string> words = words_of(source);
    for (const char* word : kOptionWords) {
        if (words.count(word) > 0) return Reach::kUnknown;
    }
    Reach reach = Reach::kNone;
    const bool writes = any(words, {"insert", "update", "delete", "merge", "truncate", "copy"});
    for (const std::string& word : words) {
        for (const Table* table : catalog.tables_called(word)) {
            const bool spread = table->placement == Placement::kSharded || table->kind == 'v' || table->kind == 'm' ||
                                (table->placement == Placement::kReference && writes);
            if (spread) return Reach::kUnknown;
            reach = Reach::kHome;
        }
        reach = std::max(reach, catalog.reach_of_functions_called(word));
    }
    // Anything else that the body reads (a catalog, a sequence) is of the home shard, too.
    if (writes || any(words, {"from", "nextval", "currval", "setval", "lock"})) reach = std::max(reach, Reach::kHome);
    if (any(words, {"create", "alter", "drop", "grant", "revoke"})) return Reach::kUnknown;
    return reach;
}

namespace {

std::string body_of(const pg_query::DoStmt& from) {
    for (const pg_query::Node& argument : from.args()) {
        if (argument.def_elem().defname() == "as") return argument.def_elem().arg().string().sval();
    }
    return {};
}

std::string language_of(const pg_query::DoStmt& from) {
    for (const pg_query::Node& argument : from.args()) {
        if (argument.def_elem().defname() == "language") return argument.def_elem().arg().string().sval();
    }
    return "plpgsql";
}

// A block of definitions is run on every shard, as the definitions alone would be.
bool only_defines(const std::set<std::string>& words, const Catalog& catalog) {
    if (!any(words, {"create", "alter", "drop", "grant", "revoke", "comment"})) return false;
    if (any(words, {"insert", "update", "delete", "merge", "truncate", "copy", "execute", "perform", "call", "random", "nextval"})) return false;
    if (!any(words, {"select"})) return true;
    return std::none_of(words.begin(), words.end(), [&](const std::string& word) { return !catalog.tables_called(word).empty(); });
}

}  // namespace

Statement plan_do(const pg_query::DoStmt& from, PlanContext& context) {
    const std::string body = body_of(from);
    Statement statement = route_home(Command::kDo);
    statement.tag = "DO";
    statement.runs_user_code = true;
    const std::set<std::string> words = words_of(body);
    const bool readable = language_of(from) == "plpgsql";
    if (readable && only_defines(words, context.catalog)) {
        statement.plan = PlanKind::kBroadcast;
        statement.changes_catalog = true;
        statement.reason = "it only defines things";
        return statement;
    }
    const bool defines = any(words, {"create", "alter", "drop", "grant", "revoke"});
    const bool known = readable && !defines && reach_of(body, context.catalog) != Reach::kUnknown;
    // Where no table is spread the home shard is all there is: what the block defines the others need not have.
    const bool alone = !has_spread_tables(context.catalog);
    statement.changes_catalog = defines;
    if (known || alone) return statement;
    refuse("cannot run this DO block", "It runs on one shard; its body names sharded or reference tables, defines things among other work, or runs dynamic SQL.",
           "Write its statements out, or split definitions from data.");
}

namespace {

std::optional<Statement> plan_distributed_call(const pg_query::CallStmt& from, PlanContext& context) {
    const Function* procedure = distributed_function(from.funccall(), context.catalog, context.environment.search_path);
    if (!procedure) return std::nullopt;
    const FunctionSpread& spread = *procedure->spread;
    Statement statement;
    if (spread.way == FunctionSpread::Way::kAll) {
        statement.plan = PlanKind::kBroadcast;
        statement.reason = "the procedure runs on every shard";
    } else if (spread.way == FunctionSpread::Way::kAny) {
        statement = route_home(Command::kCall);
    } else {
        const pg_query::Node* key = key_argument(from.funccall(), spread);
        const auto family = shardmap::key_family(spread.key_type);
        const auto value = key && family ? context.key_value_of(*key, *family) : std::nullopt;
        const bool constant = value && value->from != ValueRef::From::kParameter;
        if (!value || (constant && !canonical_key(context.literal_of(*value), spread.key_type, -1))) {
            refuse("cannot tell the shard on which procedure " + quoted(procedure->name) + " runs",
                   "Its key argument must be a value or a parameter.", "Write the value itself.");
        }
        if (value->from == ValueRef::From::kLiteral) context.key_slots.push_back({value->index, spread.key_type, -1});
        Route route{.where = Route::Where::kKey, .group = spread.group, .key_type = spread.key_type, .keys = {{*value}}};
        statement = route_to(std::move(route), "the procedure's key argument is bound to a value");
        Statement otherwise;
        otherwise.plan = PlanKind::kRefuse;
        otherwise.refusal = refusal("cannot tell the shard on which procedure " + quoted(procedure->name) + " runs",
                                    "The parameter's type is not that of the key argument.", "Cast it.");
        statement.route.otherwise = std::make_shared<const Statement>(std::move(otherwise));
    }
    statement.command = Command::kCall;
    statement.tag = "CALL";
    statement.runs_user_code = statement.returns_rows = true;
    return statement;
}

}  // namespace

Statement plan_call(const pg_query::CallStmt& from, PlanContext& context) {
    Statement statement = route_home(Command::kCall);
    statement.tag = "CALL";
    statement.runs_user_code = true;
    statement.returns_rows = true;
    statement.changes_catalog = false;
    if (!context.catalog.has_sharded_tables()) return statement;
    if (auto distributed = plan_distributed_call(from, context)) return std::move(*distributed);
    const FunctionTraits traits = traits_of(from.funccall(), context.catalog, context.environment.search_path);
    if (traits.reach != Reach::kUnknown) return statement;
    refuse("procedure " + quoted(name_of(from.funccall().funcname()).name) + " may use sharded tables",
           "It runs on one shard, where it would see that shard's rows only; its body names them, or cannot be read.",
           "Write its statements out.");
}

}  // namespace pgmosaic::planner

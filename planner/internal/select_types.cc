#include "planner/internal/select_types.h"

#include <algorithm>

#include "planner/internal/functions.h"

namespace pgmosaic::planner {

namespace {

using pg_query::Node;
using Type = std::optional<ExpressionType>;

constexpr Oid kUnknownOid = 705;  // a literal whose type its surroundings decide
constexpr Oid kDefaultCollation = 100;
constexpr Oid kCCollation = 950;
constexpr Oid kPosixCollation = 951;

struct BuiltinType {
    std::string_view name;       // in pg_type
    std::string_view formatted;  // as SQL writes it
    Oid oid;
};

constexpr BuiltinType kTypes[] = {
    {"bool", "boolean", type::kBool},
    {"bytea", "bytea", type::kBytea},
    {"char", "\"char\"", type::kChar},
    {"name", "name", type::kName},
    {"int8", "bigint", type::kInt8},
    {"int2", "smallint", type::kInt2},
    {"int4", "integer", type::kInt4},
    {"text", "text", type::kText},
    {"oid", "oid", type::kOid},
    {"float4", "real", type::kFloat4},
    {"float8", "double precision", type::kFloat8},
    {"money", "money", type::kMoney},
    {"bpchar", "bpchar", type::kBpchar},
    {"varchar", "character varying", type::kVarchar},
    {"date", "date", type::kDate},
    {"time", "time without time zone", type::kTime},
    {"timestamp", "timestamp without time zone", type::kTimestamp},
    {"timestamptz", "timestamp with time zone", type::kTimestampTz},
    {"interval", "interval", type::kInterval},
    {"timetz", "time with time zone", type::kTimeTz},
    {"numeric", "numeric", type::kNumeric},
    {"uuid", "uuid", type::kUuid},
    {"pg_lsn", "pg_lsn", type::kLsn},
    {"json", "json", 114},
    {"jsonb", "jsonb", 3802},
};

Type of(Oid oid) { return ExpressionType{oid, type_name_of(oid)}; }
Type unknown_literal() { return ExpressionType{kUnknownOid, "text"}; }

// 0: no number; the higher one wins an operation. float4 is left out: with integers it becomes float8.
int number_rank(Oid oid) {
    switch (oid) {
        case type::kInt2: return 1;
        case type::kInt4: return 2;
        case type::kInt8: return 3;
        case type::kNumeric: return 4;
        case type::kFloat8: return 5;
        default: return 0;
    }
}

bool is_text(Oid oid) { return oid == type::kText || oid == type::kVarchar || oid == type::kBpchar; }

struct TimeRule {
    Oid left;
    char operation;
    Oid right;
    Oid result;
};
constexpr TimeRule kTimeRules[] = {
    {type::kDate, '+', type::kInt4, type::kDate},
    {type::kDate, '-', type::kInt4, type::kDate},
    {type::kDate, '-', type::kDate, type::kInt4},
    {type::kDate, '+', type::kInterval, type::kTimestamp},
    {type::kDate, '-', type::kInterval, type::kTimestamp},
    {type::kTimestamp, '+', type::kInterval, type::kTimestamp},
    {type::kTimestamp, '-', type::kInterval, type::kTimestamp},
    {type::kTimestamp, '-', type::kTimestamp, type::kInterval},
    {type::kTimestampTz, '+', type::kInterval, type::kTimestampTz},
    {type::kTimestampTz, '-', type::kInterval, type::kTimestampTz},
    {type::kTimestampTz, '-', type::kTimestampTz, type::kInterval},
    {type::kInterval, '+', type::kInterval, type::kInterval},
    {type::kInterval, '-', type::kInterval, type::kInterval},
};

bool is_comparison(std::string_view name) {
    static constexpr std::string_view kNames[] = {"=", "<>", "!=", "<", ">", "<=", ">=", "~", "~*", "!~", "!~*", "~~", "!~~", "~~*", "!~~*"};
    return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

Type arithmetic(Oid left, char operation, Oid right) {
    // A bare literal takes the other operand's type, in arithmetic of numbers.
    if (left == kUnknownOid && number_rank(right) > 0) left = right;
    if (right == kUnknownOid && number_rank(left) > 0) right = left;
    if (number_rank(left) > 0 && number_rank(right) > 0) {
        const Oid wider = number_rank(left) >= number_rank(right) ? left : right;
        if (operation == '%' && wider == type::kFloat8) return std::nullopt;
        return of(wider);
    }
    if (left == type::kFloat4 && right == type::kFloat4 && operation != '%') return of(type::kFloat4);
    for (const TimeRule& rule : kTimeRules) {
        if (rule.left == left && rule.operation == operation && rule.right == right) return of(rule.result);
    }
    return std::nullopt;
}

struct FunctionType {
    std::string_view name;
    Oid result;
};
// Functions of pg_catalog all of whose overloads return the same type (those of bytea and of geometry aside).
constexpr FunctionType kFunctions[] = {
    {"lower", type::kText},      {"upper", type::kText},       {"initcap", type::kText},      {"btrim", type::kText},
    {"left", type::kText},       {"right", type::kText},       {"lpad", type::kText},         {"rpad", type::kText},
    {"replace", type::kText},    {"repeat", type::kText},      {"split_part", type::kText},   {"md5", type::kText},
    {"to_char", type::kText},    {"concat", type::kText},      {"concat_ws", type::kText},    {"translate", type::kText},
    {"chr", type::kText},        {"format", type::kText},      {"regexp_replace", type::kText}, {"to_hex", type::kText},
    {"string_agg", type::kText}, {"quote_literal", type::kText}, {"quote_ident", type::kText},
    {"length", type::kInt4},     {"char_length", type::kInt4}, {"character_length", type::kInt4}, {"octet_length", type::kInt4},
    {"bit_length", type::kInt4}, {"strpos", type::kInt4},      {"position", type::kInt4},     {"ascii", type::kInt4},
    {"width_bucket", type::kInt4}, {"array_length", type::kInt4}, {"cardinality", type::kInt4}, {"jsonb_array_length", type::kInt4},
    {"count", type::kInt8},      {"row_number", type::kInt8},  {"rank", type::kInt8},         {"dense_rank", type::kInt8},
    {"ntile", type::kInt4},      {"percent_rank", type::kFloat8}, {"cume_dist", type::kFloat8},
    {"bool_and", type::kBool},   {"bool_or", type::kBool},     {"every", type::kBool},
    {"date_part", type::kFloat8}, {"extract", type::kNumeric}, {"random", type::kFloat8},     {"now", type::kTimestampTz},
    {"to_date", type::kDate},    {"make_date", type::kDate},
    {"to_timestamp", type::kTimestampTz}, {"starts_with", type::kBool}, {"gen_random_uuid", type::kUuid},
};

Type by_argument(std::string_view name, const std::vector<Type>& arguments) {
    const auto argument = [&](std::size_t i) { return i < arguments.size() && arguments[i] ? arguments[i]->oid : Oid{0}; };
    const Oid first = argument(0);
    if (name == "min" || name == "max") {
        if (is_text(first)) return of(first == type::kBpchar ? type::kBpchar : type::kText);
        return first == kUnknownOid || !merge_compares(first) ? std::nullopt : of(first);
    }
    if (name == "sum" || name == "avg") {
        if (first == type::kInterval) return of(type::kInterval);
        const auto sums = merge_sums(first);
        return sums ? of(name == "sum" ? sums->sum_type : sums->avg_type) : std::nullopt;
    }
    if (name == "bit_and" || name == "bit_or") return merge_bits(first) ? of(first) : std::nullopt;
    if (name == "abs") return number_rank(first) > 0 || first == type::kFloat4 ? of(first) : std::nullopt;
    if (name == "round" || name == "trunc") {
        if (arguments.size() == 2 && number_rank(first) > 0 && number_rank(first) < 5) return of(type::kNumeric);
        if (arguments.size() != 1) return std::nullopt;
    }
    if (name == "round" || name == "trunc" || name == "ceil" || name == "ceiling" || name == "floor" || name == "sign") {
        if (first == type::kNumeric) return of(type::kNumeric);
        return number_rank(first) > 0 || first == type::kFloat4 ? of(type::kFloat8) : std::nullopt;
    }
    if (name == "mod" && number_rank(first) > 0) {
        const int other = number_rank(argument(1));
        return other > 0 && other < 5 && number_rank(first) < 5 ? arithmetic(first, '%', argument(1)) : std::nullopt;
    }
    if (name == "date_trunc" && arguments.size() == 2) {
        const Oid of_time = argument(1);
        if (of_time == type::kDate) return of(type::kTimestampTz);
        return of_time == type::kTimestamp || of_time == type::kTimestampTz || of_time == type::kInterval ? of(of_time) : std::nullopt;
    }
    return std::nullopt;
}

Type constant_type(const pg_query::A_Const& constant) {
    if (constant.isnull()) return unknown_literal();
    switch (constant.val_case()) {
        case pg_query::A_Const::kIval: return of(type::kInt4);
        case pg_query::A_Const::kBoolval: return of(type::kBool);
        case pg_query::A_Const::kSval: return unknown_literal();
        case pg_query::A_Const::kFval: {
            const std::string& digits = constant.fval().fval();
            const bool whole = digits.find_first_not_of("0123456789") == std::string::npos;
            return of(whole && digits.size() < 19 ? type::kInt8 : type::kNumeric);
        }
        default: return std::nullopt;
    }
}

bool c_collation(Oid collation, bool default_is_c) {
    return collation == 0 || collation == kCCollation || collation == kPosixCollation || (collation == kDefaultCollation && default_is_c);
}

bool names_c(const pg_query::CollateClause& clause) {
    const QualifiedName name = name_of(clause.collname());
    return (name.schema.empty() || name.schema == "pg_catalog") && (name.name == "C" || name.name == "POSIX");
}

}  // namespace

std::optional<ExpressionType> builtin_type(std::string_view name) {
    for (const BuiltinType& each : kTypes) {
        if (each.name == name) return ExpressionType{each.oid, std::string(each.formatted)};
    }
    return std::nullopt;
}

std::string type_name_of(Oid oid) {
    for (const BuiltinType& each : kTypes) {
        if (each.oid == oid) return std::string(each.formatted);
    }
    return {};
}

Type TypeFinder::type_of(const Node& expression, int level) const {
    switch (expression.node_case()) {
        case Node::kColumnRef: {
            const auto node = analysis_.resolve(expression, level);
            return node ? column_type(*node) : std::nullopt;
        }
        case Node::kAConst: return constant_type(expression.a_const());
        case Node::kTypeCast: {
            const pg_query::TypeName& type = expression.type_cast().type_name();
            const QualifiedName name = name_of(type.names());
            const bool builtin = name.schema.empty() || name.schema == "pg_catalog";
            if (!builtin || type.array_bounds_size() > 0 || type.setof()) return std::nullopt;
            return builtin_type(name.name);
        }
        case Node::kCollateClause: return type_of(expression.collate_clause().arg(), level);
        case Node::kAExpr: return operator_type(expression.a_expr(), level);
        case Node::kFuncCall: return function_type(expression.func_call(), level);
        case Node::kBoolExpr:
        case Node::kNullTest:
        case Node::kBooleanTest: return of(type::kBool);
        case Node::kCoalesceExpr: return common_type(expression.coalesce_expr().args(), level);
        case Node::kMinMaxExpr: return common_type(expression.min_max_expr().args(), level);
        case Node::kCaseExpr: return case_type(expression.case_expr(), level);
        case Node::kSubLink: {
            const auto kind = expression.sub_link().sub_link_type();
            const bool truth = kind == pg_query::EXISTS_SUBLINK || kind == pg_query::ANY_SUBLINK || kind == pg_query::ALL_SUBLINK;
            return truth ? of(type::kBool) : std::nullopt;
        }
        default: return std::nullopt;
    }
}

Type TypeFinder::column_type(ColumnNode node) const {
    const RangeEntry& entry = analysis_.entries[static_cast<std::size_t>(node.entry)];
    const auto column = static_cast<std::size_t>(node.column);
    if (entry.table && column < entry.table->columns.size()) {
        return ExpressionType{entry.table->columns[column].type, entry.table->columns[column].type_name};
    }
    if (entry.kind != RangeEntry::Kind::kQuery || entry.query < 0) return std::nullopt;
    const Level& behind = analysis_.levels[static_cast<std::size_t>(entry.query)];
    if (!behind.operands.empty() || !behind.output_known || column >= behind.output.size()) return std::nullopt;
    if (behind.output_columns[column]) return column_type(*behind.output_columns[column]);
    if (!behind.output[column]) return std::nullopt;
    const Type found = type_of(*behind.output[column], entry.query);
    return found && found->oid == kUnknownOid ? of(type::kText) : found;
}

Type TypeFinder::common_type(const Nodes& nodes, int level) const {
    Type common = unknown_literal();
    for (const Node& node : nodes) {
        const Type each = type_of(node, level);
        if (!each) return std::nullopt;
        if (each->oid == kUnknownOid) continue;
        if (common->oid == kUnknownOid) common = each;
        if (common->oid == each->oid) continue;
        if (number_rank(common->oid) == 0 || number_rank(each->oid) == 0) return std::nullopt;
        if (number_rank(each->oid) > number_rank(common->oid)) common = each;
    }
    if (common->oid == kUnknownOid) return of(type::kText);
    // Modifiers may be lost on the way: varchar(20) beside a literal.
    return nodes.size() == 1 || type_name_of(common->oid).empty() ? common : of(common->oid);
}

Type TypeFinder::case_type(const pg_query::CaseExpr& expression, int level) const {
    Nodes results;
    for (const Node& when : expression.args()) *results.Add() = when.case_when().result();
    if (expression.has_defresult()) *results.Add() = expression.defresult();
    // Copies do not resolve by address, but by name: good enough, names are what a level resolves.
    return common_type(results, level);
}

Type TypeFinder::operator_type(const pg_query::A_Expr& expression, int level) const {
    switch (expression.kind()) {
        case pg_query::AEXPR_OP: break;
        case pg_query::AEXPR_NULLIF: {
            // The result is what `=` compares: of two types it may be neither.
            const Type first = type_of(expression.lexpr(), level);
            const Type second = type_of(expression.rexpr(), level);
            if (!first || !second || first->oid == kUnknownOid) return std::nullopt;
            return second->oid == first->oid || second->oid == kUnknownOid ? first : std::nullopt;
        }
        case pg_query::A_EXPR_KIND_UNDEFINED: return std::nullopt;
        default: return of(type::kBool);  // IN, LIKE, BETWEEN, IS DISTINCT FROM, ANY, ALL
    }
    const QualifiedName name = name_of(expression.name());
    if (context_.catalog.has_user_operators() || !name.schema.empty()) return std::nullopt;
    if (is_comparison(name.name)) return of(type::kBool);
    const Type right = type_of(expression.rexpr(), level);
    if (!right) return std::nullopt;
    if (!expression.has_lexpr()) {
        return (name.name == "-" || name.name == "+") && (number_rank(right->oid) > 0 || right->oid == type::kInterval) ? right : std::nullopt;
    }
    const Type left = type_of(expression.lexpr(), level);
    if (!left) return std::nullopt;
    if (name.name == "||") {
        const bool text = (is_text(left->oid) || left->oid == kUnknownOid) && (is_text(right->oid) || right->oid == kUnknownOid);
        const bool one_text = is_text(left->oid) || is_text(right->oid);
        return text || (one_text && (number_rank(left->oid) > 0 || number_rank(right->oid) > 0)) ? of(type::kText) : std::nullopt;
    }
    const bool arithmetical = name.name.size() == 1 && std::string_view("+-*/%").find(name.name) != std::string_view::npos;
    return arithmetical ? arithmetic(left->oid, name.name[0], right->oid) : std::nullopt;
}

Type TypeFinder::function_type(const pg_query::FuncCall& call, int level) const {
    if (traits_of(call, context_.catalog, context_.environment.search_path).user) return std::nullopt;
    const QualifiedName name = name_of(call.funcname());
    if (!name.schema.empty() && name.schema != "pg_catalog") return std::nullopt;
    std::vector<Type> arguments;
    bool bytes = false;
    for (const Node& argument : call.args()) {
        arguments.push_back(type_of(argument, level));
        bytes |= arguments.back() && arguments.back()->oid == type::kBytea;
    }
    if (bytes && name.name != "count" && name.name != "length") return std::nullopt;
    for (const FunctionType& each : kFunctions) {
        if (each.name == name.name) return of(each.result);
    }
    return by_argument(name.name, arguments);
}

const Column* TypeFinder::base_column(const Node& expression, int level) const {
    const auto node = analysis_.resolve(expression, level);
    return node ? analysis_.base_column(*node) : nullptr;
}

bool TypeFinder::byte_ordered(const Node& expression, Oid oid, int level) const {
    if (!merge_needs_collation(oid)) return true;
    if (oid == type::kName) return true;
    if (expression.has_collate_clause()) return names_c(expression.collate_clause());
    const bool default_is_c = context_.catalog.default_collation_is_c();
    if (expression.has_column_ref()) {
        const Column* column = base_column(expression, level);
        return column && c_collation(column->collation, default_is_c);
    }
    // Of an expression whose parts all order by bytes the whole does, too.
    bool ordered = default_is_c;
    walk(expression, [&](const google::protobuf::Message& message) {
        if (as<pg_query::SubLink>(message)) ordered = false;
        if (const auto* clause = as<pg_query::CollateClause>(message)) ordered &= names_c(*clause);
        if (const auto* node = as<Node>(message); node && node->has_column_ref()) {
            const Column* column = base_column(*node, level);
            ordered &= column && c_collation(column->collation, default_is_c);
        }
        return ordered;
    });
    return ordered;
}

bool TypeFinder::deterministic(const Node& expression, int level) const {
    bool fine = true;
    walk(expression, [&](const google::protobuf::Message& message) {
        if (as<pg_query::SubLink>(message)) fine = false;
        if (const auto* clause = as<pg_query::CollateClause>(message)) fine &= names_c(*clause);
        if (const auto* node = as<Node>(message); node && node->has_column_ref()) {
            const Column* column = base_column(*node, level);
            fine &= column && !column->nondeterministic;
        }
        return fine;
    });
    return fine;
}

}  // namespace pgmosaic::planner

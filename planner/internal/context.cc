#include "planner/internal/context.h"

#include <algorithm>

#include "planner/internal/functions.h"
#include "shardmap/hash.h"

namespace pgmosaic::planner {

namespace {

struct FamilyName {
    std::string_view name;
    shardmap::KeyFamily family;
};

constexpr FamilyName kFamilies[] = {
    {"int2", shardmap::KeyFamily::kInteger},         {"int4", shardmap::KeyFamily::kInteger},
    {"int8", shardmap::KeyFamily::kInteger},         {"text", shardmap::KeyFamily::kText},
    {"varchar", shardmap::KeyFamily::kText},         {"bpchar", shardmap::KeyFamily::kBpchar},
    {"uuid", shardmap::KeyFamily::kUuid},            {"date", shardmap::KeyFamily::kDate},
    {"timestamp", shardmap::KeyFamily::kTimestamp},  {"timestamptz", shardmap::KeyFamily::kTimestamptz},
    {"bytea", shardmap::KeyFamily::kBytea},          {"numeric", shardmap::KeyFamily::kNumeric},
};

std::optional<shardmap::KeyFamily> family_of(const pg_query::TypeName& type) {
    const QualifiedName name = name_of(type.names());
    if (!name.schema.empty() && name.schema != "pg_catalog") return std::nullopt;
    // varchar(2) cuts, numeric(3,1) rounds: the value compared is then not the one written.
    if (type.typmods_size() > 0 || type.array_bounds_size() > 0 || type.setof()) return std::nullopt;
    for (const FamilyName& each : kFamilies) {
        if (each.name == name.name) return each.family;
    }
    return std::nullopt;
}

Literal constant_of(const pg_query::A_Const& constant) {
    Literal literal;
    const auto number = [&](Literal::Kind kind, std::string_view digits) {
        literal.kind = kind;
        literal.negative = digits.substr(0, 1) == "-";
        literal.value = digits.substr(literal.negative ? 1 : 0);
    };
    switch (constant.val_case()) {
        case pg_query::A_Const::kIval: number(Literal::Kind::kInteger, std::to_string(constant.ival().ival())); break;
        case pg_query::A_Const::kFval: {
            const std::string& digits = constant.fval().fval();
            const bool whole = digits.find_first_not_of("-0123456789") == std::string::npos;
            number(whole && digits.size() < 19 ? Literal::Kind::kInteger : Literal::Kind::kDecimal, digits);
            break;
        }
        case pg_query::A_Const::kSval:
            literal.kind = Literal::Kind::kString;
            literal.value = constant.sval().sval();
            break;
        case pg_query::A_Const::kBoolval:
        case pg_query::A_Const::kBsval:
        case pg_query::A_Const::VAL_NOT_SET: break;
    }
    return literal;
}

const pg_query::Node& below_casts(const pg_query::Node& expression, std::vector<const pg_query::TypeName*>& casts) {
    if (!expression.has_type_cast()) return expression;
    casts.push_back(&expression.type_cast().type_name());
    return below_casts(expression.type_cast().arg(), casts);
}

}  // namespace

std::optional<ValueRef> PlanContext::plain_value(const pg_query::Node& expression) const {
    if (expression.has_param_ref()) {
        const int number = expression.param_ref().number();
        if (number <= 0 || in_view) return std::nullopt;
        return ValueRef{ValueRef::From::kParameter, static_cast<std::uint32_t>(number), {}};
    }
    if (!expression.has_a_const() || expression.a_const().isnull()) return std::nullopt;
    const pg_query::A_Const& constant = expression.a_const();
    const Literal value = constant_of(constant);
    if (value.kind == Literal::Kind::kOther) return std::nullopt;
    if (const auto index = literal_at(constant.location(), value)) return ValueRef{ValueRef::From::kLiteral, *index, {}};
    return ValueRef{ValueRef::From::kConstant, 0, value};
}

// The literal of the text at a byte position. The tree points at the minus of a negative one, where blanks may follow.
std::optional<std::uint32_t> PlanContext::literal_at(int location, const Literal& value) const {
    if (in_view || location < 0) return std::nullopt;
    const auto begin = static_cast<std::uint32_t>(location);
    const auto found = std::lower_bound(literals.begin(), literals.end(), begin,
                                        [](const Token& token, std::uint32_t wanted) { return token.begin < wanted; });
    if (found == literals.end()) return std::nullopt;
    const bool here = found->begin == begin;
    const bool behind_minus = !here && begin < sql.size() && sql[begin] == '-';
    if (!here && !behind_minus) return std::nullopt;
    Literal read;
    read_literal(sql, *found, read);
    if (read.kind != value.kind || read.negative != value.negative || read.value != value.value) return std::nullopt;
    return static_cast<std::uint32_t>(found - literals.begin());
}

std::optional<shardmap::KeyFamily> constant_family(const pg_query::Node& expression) {
    if (expression.has_type_cast()) return family_of(expression.type_cast().type_name());
    if (!expression.has_a_const()) return std::nullopt;
    switch (expression.a_const().val_case()) {
        case pg_query::A_Const::kIval: return shardmap::KeyFamily::kInteger;
        case pg_query::A_Const::kFval: return shardmap::KeyFamily::kNumeric;
        case pg_query::A_Const::kSval: return shardmap::KeyFamily::kText;
        default: return std::nullopt;
    }
}

std::optional<ValueRef> PlanContext::value_of(const pg_query::Node& expression) const {
    std::vector<const pg_query::TypeName*> casts;
    const pg_query::Node& plain = below_casts(expression, casts);
    for (const pg_query::TypeName* cast : casts) {
        const QualifiedName name = name_of(cast->names());
        if (!name.schema.empty() && name.schema != "pg_catalog") return std::nullopt;
    }
    return plain_value(plain);
}

std::optional<ValueRef> PlanContext::key_value_of(const pg_query::Node& expression, shardmap::KeyFamily family) const {
    std::vector<const pg_query::TypeName*> casts;
    const pg_query::Node& plain = below_casts(expression, casts);
    for (const pg_query::TypeName* cast : casts) {
        if (family_of(*cast) != family) return std::nullopt;
    }
    return plain_value(plain);
}

Literal PlanContext::literal_of(const ValueRef& value) const {
    if (value.from == ValueRef::From::kConstant) return value.constant;
    Literal literal;
    if (value.from == ValueRef::From::kLiteral && value.index < literals.size()) read_literal(sql, literals[value.index], literal);
    return literal;
}

const Table* PlanContext::find_table(const pg_query::RangeVar& relation) const {
    return catalog.find_table(relation.schemaname(), relation.relname(), environment.search_path);
}

bool canonical_key(const Literal& literal, Oid type, std::int32_t typmod) {
    const auto family = shardmap::key_family(type);
    if (!family || literal.kind == Literal::Kind::kOther || literal.kind == Literal::Kind::kNull) return false;
    const bool number = literal.kind != Literal::Kind::kString;
    if (number && *family != shardmap::KeyFamily::kInteger && *family != shardmap::KeyFamily::kNumeric) return false;
    if (literal.kind == Literal::Kind::kDecimal && *family == shardmap::KeyFamily::kInteger) return false;
    if (!literal.negative) return shardmap::bucket_of_text(type, literal.value, typmod).has_value();
    return shardmap::bucket_of_text(type, "-" + literal.value, typmod).has_value();
}

}  // namespace pgmosaic::planner

#include "coordinator/admin/arguments.h"

#include <algorithm>

namespace pgmosaic::coordinator {

namespace {

Error no_such_function(const planner::AdminCall& call, std::string hint) {
    return Error{.code = sqlstate::kUndefinedFunction,
                 .message = "function " + call.function + " does not exist with these arguments",
                 .hint = std::move(hint)};
}

std::string signature(const planner::AdminCall& call, std::initializer_list<std::string_view> names) {
    std::string text = "It is " + call.function + "(";
    for (const std::string_view& name : names) text += (&name == names.begin() ? "" : ", ") + std::string(name);
    return text + ").";
}

}  // namespace

std::optional<std::string> value_of(const planner::ValueRef& value, const Request& request) {
    if (value.from == planner::ValueRef::From::kParameter) {
        if (request.bind == nullptr || value.index == 0 || value.index > request.bind->values.size()) return std::nullopt;
        const auto& [data, length] = request.bind->values[value.index - 1];
        if (length < 0) return std::nullopt;
        return std::string(data, static_cast<std::size_t>(length));
    }
    const planner::Literal& literal =
        value.from == planner::ValueRef::From::kLiteral ? request.literals.at(value.index) : value.constant;
    if (literal.kind == planner::Literal::Kind::kNull) return std::nullopt;
    return (literal.negative ? "-" : "") + literal.value;
}

Arguments::Arguments(const planner::AdminCall& call, const Request& request, std::initializer_list<std::string_view> names,
                     std::size_t required)
    : values_(names.size()) {
    if (call.arguments.size() > names.size()) throw PgError(no_such_function(call, signature(call, names)));
    std::vector<bool> given(names.size());
    for (std::size_t i = 0; i < call.arguments.size(); ++i) {
        const planner::AdminCall::Argument& argument = call.arguments[i];
        std::size_t place = i;
        if (!argument.name.empty()) {
            const auto* found = std::find(names.begin(), names.end(), argument.name);
            if (found == names.end()) throw PgError(no_such_function(call, signature(call, names)));
            place = static_cast<std::size_t>(found - names.begin());
        }
        given[place] = true;
        if (!argument.null) values_[place] = value_of(argument.value, request);
    }
    for (std::size_t i = 0; i < required; ++i) {
        if (!given[i]) throw PgError(no_such_function(call, signature(call, names)));
        if (!values_[i]) {
            throw PgError(Error{.code = sqlstate::kNullValueNotAllowed,
                                .message = "argument \"" + std::string(names.begin()[i]) + "\" of " + call.function +
                                           " must not be null"});
        }
    }
}

}  // namespace pgmosaic::coordinator

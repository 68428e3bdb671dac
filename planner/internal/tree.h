#pragma once

#include <google/protobuf/arena.h>
#include <pg_query.pb.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace pgmosaic::planner {

/// libpg_query's answer for one text. The tree lives in `arena`, so that even a deep one is freed without recursion.
struct ParsedTree {
    google::protobuf::Arena arena;
    const pg_query::ParseResult* result = nullptr;  ///< null after a syntax error
    std::optional<Error> error;
};

/// Parses `sql`. Errors: `tree.error` as PostgreSQL would say it, position in characters from 1.
void parse(std::string_view sql, ParsedTree& tree);

/// SQL text of one statement. Throws PgError XX000 if libpg_query cannot write it.
std::string deparse(const pg_query::SelectStmt& statement);
std::string deparse(const pg_query::ParseResult& statements);
std::string deparse(const pg_query::Node& statement);
/// SQL text of one expression.
std::string deparse_expression(const pg_query::Node& expression);

/// Calls `visit` for `root` and every message below it, parents first; where it returns false the walk does not go deeper.
/// Use `as<T>()` to see what a message is.
using Visit = std::function<bool(const google::protobuf::Message&)>;
void walk(const google::protobuf::Message& root, const Visit& visit);
/// The same, to change the tree.
using Change = std::function<bool(google::protobuf::Message&)>;
void walk_mutable(google::protobuf::Message& root, const Change& change);

template <class T>
const T* as(const google::protobuf::Message& message) {
    return message.GetDescriptor() == T::descriptor() ? static_cast<const T*>(&message) : nullptr;
}
template <class T>
T* as(google::protobuf::Message& message) {
    return message.GetDescriptor() == T::descriptor() ? static_cast<T*>(&message) : nullptr;
}

/// Runs `work` on a stack that is large enough for a tree of that depth; throws PgError 54001 if there can be none.
/// Depth is what `nesting_bound` (lexer.h) says of the text.
void with_stack_for(std::size_t depth, const std::function<void()>& work);

}  // namespace pgmosaic::planner

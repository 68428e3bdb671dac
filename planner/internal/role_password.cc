#include "planner/internal/role_password.h"

#include <algorithm>

#include "planner/internal/lexer.h"

namespace pgmosaic::planner {

namespace {

const pg_query::DefElem* password_option(const google::protobuf::RepeatedPtrField<pg_query::Node>& options) {
    for (const pg_query::Node& option : options) {
        if (option.def_elem().defname() == "password" && option.def_elem().arg().has_string()) return &option.def_elem();
    }
    return nullptr;
}

const pg_query::DefElem* password_of(const pg_query::Node& node) {
    if (node.has_create_role_stmt()) return password_option(node.create_role_stmt().options());
    if (node.has_alter_role_stmt()) return password_option(node.alter_role_stmt().options());
    return nullptr;
}

/// As PostgreSQL tells hashes from passwords; whether a SCRAM verifier is whole, the server says.
bool is_hashed(const std::string& password) {
    if (password.starts_with("SCRAM-SHA-256$")) return true;
    const auto is_hexadecimal = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return password.size() == 35 && password.starts_with("md5") && std::all_of(password.begin() + 3, password.end(), is_hexadecimal);
}

}  // namespace

void note_role_password(const pg_query::Node& node, StatementText text, PlanDetails& details) {
    const pg_query::DefElem* option = password_of(node);
    if (option == nullptr) return;
    const std::string& password = option->arg().string().sval();
    if (password.empty() || is_hashed(password)) return;
    // The option's place is that of its first word: [ENCRYPTED] PASSWORD constant.
    const auto location = static_cast<std::size_t>(option->location());
    const std::size_t begin = location >= text.offset ? location - text.offset : text.text.size();
    Lexer lexer(text.text.substr(std::min(begin, text.text.size())));
    Token token;
    for (int words = 0; lexer.next(token) && words < 3; ++words) {
        const bool constant = token.kind == Token::Kind::kString || token.kind == Token::Kind::kOtherString;
        if (!constant) continue;
        details.password = password;
        details.password_begin = begin + token.begin;
        details.password_end = begin + token.end;
        return;
    }
    refuse("a password must be one string constant", "It is hashed once for all shards.", "Write it as PASSWORD '…'.");
}

}  // namespace pgmosaic::planner

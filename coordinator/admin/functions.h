#pragma once

#include "coordinator/admin/answer_rows.h"
#include "coordinator/admin/arguments.h"

namespace pgmosaic::coordinator {

/// One of our functions. Declared once, in functions.cc: the call, its columns and its refusal come from there.
struct AdminFunction {
    std::string_view name;
    std::initializer_list<std::string_view> parameters;
    std::size_t required = 0;
    Oid result = kVoidType;      ///< of the one value; without meaning where `columns` is given
    bool superuser = false;
    Task<std::vector<AnswerRow>> (*run)(Session& session, const Arguments& arguments) = nullptr;  ///< null: not there yet
    std::vector<AnswerColumn> (*columns)() = nullptr;  ///< of a function that returns rows
};

/// nullptr: there is none of that name.
const AdminFunction* find_admin_function(std::string_view name);
std::vector<AnswerColumn> columns_of(const AdminFunction& function, const planner::AdminCall& call);

/// The answer of a call. Errors: as PostgreSQL's for arguments and rights; 0A000 for what this version has not.
Task<std::vector<AnswerRow>> call_admin_function(Session& session, const planner::AdminCall& call, const Request& request);

/// Errors: 42501 unless the session's role is a superuser.
Task<> require_superuser(Session& session, std::string what);

}  // namespace pgmosaic::coordinator

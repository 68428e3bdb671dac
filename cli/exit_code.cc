#include "cli/exit_code.h"

#include <iostream>

namespace pgmosaic::cli {

ExitCode exit_code_of(const Error& error) {
    const std::string_view code = error.code.view();
    if (code.starts_with("08") || error.code == sqlstate::kCannotConnectNow || code == "57P01") return ExitCode::kUnreachable;
    if (error.code == sqlstate::kQueryCanceled) return ExitCode::kTimedOut;
    if (error.code == sqlstate::kConfigFileError || error.code == sqlstate::kUndefinedFile) return ExitCode::kUsage;
    if (error.code == sqlstate::kObjectNotInPrerequisiteState || error.code == sqlstate::kInsufficientPrivilege ||
        error.code == sqlstate::kReadOnlySqlTransaction || error.code == sqlstate::kInvalidAuthorization) {
        return ExitCode::kRefused;
    }
    if (error.code == sqlstate::kUndefinedObject || error.code == sqlstate::kUndefinedTable ||
        error.code == sqlstate::kUndefinedColumn || error.code == sqlstate::kInvalidCatalogName) {
        return ExitCode::kNotFound;
    }
    if (error.code == sqlstate::kDuplicateObject || error.code == sqlstate::kObjectInUse ||
        error.code == sqlstate::kSerializationFailure || error.code == sqlstate::kUniqueViolation) {
        return ExitCode::kConflict;
    }
    return ExitCode::kFailed;
}

void print_error(const Error& error) {
    std::cerr << "pgmosaic: " << error.message << '\n';
    if (!error.detail.empty()) std::cerr << "DETAIL: " << error.detail << '\n';
    if (!error.hint.empty()) std::cerr << "HINT: " << error.hint << '\n';
    if (!error.context.empty()) std::cerr << "CONTEXT: " << error.context << '\n';
}

ExitCode fail(const Error& error) {
    print_error(error);
    return exit_code_of(error);
}

}  // namespace pgmosaic::cli

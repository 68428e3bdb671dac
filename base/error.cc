#include "base/error.h"

#include <cstdio>
#include <cstdlib>

namespace pgmosaic {

Error refusal(std::string message, std::string detail, std::string hint) {
    return Error{.code = sqlstate::kFeatureNotSupported,
                 .message = std::move(message),
                 .detail = std::move(detail),
                 .hint = std::move(hint)};
}

void check_failed(const char* condition, const char* what, boost::source_location where) {
    std::fprintf(stderr, "pgmosaic: %s:%u: should hold: %s (%s)\n", where.file_name(), static_cast<unsigned>(where.line()),
                 what, condition);
    std::abort();
}

}  // namespace pgmosaic

#pragma once

#include <string>

#include "base/error.h"

namespace pgmosaic::backend {

/// What pg_authid keeps of a password, with a random salt; made by libpq, which also prepares letters outside ASCII (SASLprep).
/// It takes milliseconds. Errors: 53200.
Result<std::string> scram_verifier_of(const std::string& password);

}  // namespace pgmosaic::backend

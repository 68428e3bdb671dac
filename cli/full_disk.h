#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace pgmosaic::cli {

/// Bytes that an ordinary user may still write below the path; the greatest number when nobody knows.
std::uintmax_t free_bytes(const std::string& path);

/// A full disk has one name and one way out, whoever met it: the operating system, a tool, a server, or a server that
/// died of it before it could say so (then it is named as the likely cause, in the detail).
Error explain_full_disk(Error error, std::uintmax_t free_bytes);

}  // namespace pgmosaic::cli

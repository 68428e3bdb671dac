#pragma once

#include <string>

#include "base/error.h"

namespace pgmosaic::node {

/// `could not WHAT "PATH": REASON`, from errno: 53100 when the disk is full, else 58030.
Error system_error(const std::string& what, const std::string& path, int number);

/// The same for what a program wrote before it failed.
Error program_error(const std::string& what, const std::string& output);

}  // namespace pgmosaic::node

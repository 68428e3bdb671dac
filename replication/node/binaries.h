#pragma once

#include <string>

#include "base/error.h"

namespace pgmosaic::node {

/// PostgreSQL 15's programs on this machine.
struct Binaries {
    std::string directory{};  ///< holds postgres, initdb, pg_basebackup, pg_rewind
    std::string version{};    ///< "15.20"

    std::string program(const std::string& name) const { return directory + "/" + name; }
};

inline constexpr int kPostgresMajor = 15;

/// Looks at $PGMOSAIC_PG_BIN (then nowhere else), Debian's directory, and $PATH.
///
/// Errors  58P01 none is installed, or only another major version: the message says which, the hint what to install
Result<Binaries> find_binaries();

/// Major version of what `postgres --version` prints; 0: it is something else.
int major_version(const std::string& printed);

}  // namespace pgmosaic::node

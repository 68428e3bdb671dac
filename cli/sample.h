#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace pgmosaic::cli {

/// Which made-up data, and how much of it. The same options make the same rows everywhere.
struct SampleOptions {
    std::string name = "shop";
    std::uint64_t seed = 1;
    std::uint64_t orders = 100000;
    bool distribute = true;  ///< false: plain tables, for any PostgreSQL
};

/// Called now and then while rows go out.
using SampleProgress = std::function<void(std::string_view table, std::uint64_t done, std::uint64_t total)>;

/// Makes the sample's tables through a connection and fills them, in one transaction: all of it is there, or nothing.
/// A database that has the tables already is left as it is.
///
/// Errors  22023 for a name that is not known; 08006 if the connection fails; the server's own otherwise
/// Core    none: it blocks, and belongs into a process that does nothing else
Result<void> load_sample(const std::string& conninfo, const SampleOptions& options, const SampleProgress& progress);

/// The same as a script for psql, in pieces. Errors: 22023 for a name that is not known.
Result<void> write_sample(const SampleOptions& options, const std::function<void(std::string_view)>& write);

}  // namespace pgmosaic::cli

#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace pgmosaic::node {

/// Does a process of this number exist that is more than a zombie?
bool is_alive(pid_t pid);

/// Where it works; empty if it is gone or not ours to look at.
std::string working_directory(pid_t pid);

/// Live processes whose working directory is `directory` (a real path): every process of a PostgreSQL server is
/// one of its data directory, also when its postmaster is gone.
std::vector<pid_t> processes_in(const std::string& directory);

}  // namespace pgmosaic::node

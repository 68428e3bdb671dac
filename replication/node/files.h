#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"

namespace pgmosaic::node {

std::string read_text(const std::string& path);

/// The whole file or the old one, whatever happens in between: written aside, flushed, renamed.
Result<void> write_text(const std::string& path, const std::string& text, unsigned mode = 0600);

Result<void> make_directory(const std::string& path, unsigned mode = 0700);
Result<void> remove_tree(const std::string& path);
Result<void> rename_durably(const std::string& from, const std::string& to);

/// Everything on the file system of `path` reaches the disk; one journal commit instead of thousands.
Result<void> sync_file_system(const std::string& path);

std::uint64_t file_size(const std::string& path);
/// The last lines of what was written to a log since it was `begin` bytes long.
std::string log_tail(const std::string& path, std::uint64_t begin);

}  // namespace pgmosaic::node

#include "cli/full_disk.h"

#include <filesystem>
#include <limits>

namespace pgmosaic::cli {

namespace {
// What one more server needs at its beginning: 40 MB of tables, and segments of the write-ahead log.
constexpr std::uintmax_t kLittleRoom = 128 * 1024 * 1024;
}  // namespace

std::uintmax_t free_bytes(const std::string& path) {
    std::error_code unknown;
    const std::filesystem::space_info space = std::filesystem::space(path, unknown);
    return unknown ? std::numeric_limits<std::uintmax_t>::max() : space.available;
}

Error explain_full_disk(Error error, std::uintmax_t free_bytes) {
    const bool said = error.code == sqlstate::kDiskFull;
    if (!said && free_bytes >= kLittleRoom) return error;
    error.hint = "Make room and run the same command again: it goes on where it stopped.";
    if (!said) {
        error.detail += (error.detail.empty() ? "" : " ") + std::string("The disk is full or nearly so: ") +
                        std::to_string(free_bytes / (1024 * 1024)) + " MB are left.";
    } else if (error.message.find("the disk is full") == std::string::npos) {
        error.message += ": the disk is full";
    }
    return error;
}

}  // namespace pgmosaic::cli

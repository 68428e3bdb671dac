#include "replication/node/internal/system_error.h"

#include <cerrno>
#include <cstring>

namespace pgmosaic::node {

namespace {
constexpr const char* kDiskFullHint = "Make room and run the same command again: it goes on where it stopped.";
}

Error system_error(const std::string& what, const std::string& path, int number) {
    const bool full = number == ENOSPC || number == EDQUOT;
    return Error{.code = full ? sqlstate::kDiskFull : sqlstate::kIoError,
                 .message = "could not " + what + " \"" + path + "\": " + std::strerror(number),
                 .hint = full ? kDiskFullHint : ""};
}

Error program_error(const std::string& what, const std::string& output) {
    const bool full = output.find("No space left on device") != std::string::npos;
    return Error{.code = full ? sqlstate::kDiskFull : sqlstate::kIoError,
                 .message = what + (full ? ": the disk is full" : ""),
                 .detail = output,
                 .hint = full ? kDiskFullHint : ""};
}

}  // namespace pgmosaic::node

#include "replication/node/internal/system_error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

namespace pgmosaic::node {

namespace {

constexpr const char* kDiskFullHint = "Make room and run the same command again: it goes on where it stopped.";

/// The operating system's words, and the hint of PostgreSQL, whose message may say no more than how few bytes it could write.
bool tells_of_full_disk(const std::string& output) {
    constexpr const char* kWords[] = {"No space left on device", "Disk quota exceeded", "Check free disk space"};
    return std::any_of(std::begin(kWords), std::end(kWords), [&](const char* words) { return output.find(words) != std::string::npos; });
}

}  // namespace

Error system_error(const std::string& what, const std::string& path, int number) {
    const bool full = number == ENOSPC || number == EDQUOT;
    return Error{.code = full ? sqlstate::kDiskFull : sqlstate::kIoError,
                 .message = "could not " + what + " \"" + path + "\": " + std::strerror(number),
                 .hint = full ? kDiskFullHint : ""};
}

Error program_error(const std::string& what, const std::string& output) {
    const bool full = tells_of_full_disk(output);
    return Error{.code = full ? sqlstate::kDiskFull : sqlstate::kIoError,
                 .message = what + (full ? ": the disk is full" : ""),
                 .detail = output,
                 .hint = full ? kDiskFullHint : ""};
}

}  // namespace pgmosaic::node

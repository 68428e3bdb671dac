#include "cli/full_disk.h"

#include <gtest/gtest.h>

namespace pgmosaic::cli {
namespace {

constexpr std::uintmax_t kRoomy = 1'000'000'000;

TEST(FullDisk, IsNamedWhoeverMetIt) {
    const Error error = explain_full_disk(
        Error{.code = sqlstate::kDiskFull, .message = "could not extend file: No space left on device", .hint = "Check free disk space."},
        kRoomy);
    EXPECT_EQ(error.message, "could not extend file: No space left on device: the disk is full");
    EXPECT_EQ(error.hint, "Make room and run the same command again: it goes on where it stopped.");
}

TEST(FullDisk, IsNamedOnce) {
    const Error error = explain_full_disk(Error{.code = sqlstate::kDiskFull, .message = "initdb failed: the disk is full"}, 0);
    EXPECT_EQ(error.message, "initdb failed: the disk is full");
}

TEST(FullDisk, IsTheLikelyCauseWhenAServerDied) {
    const Error error = explain_full_disk(Error{.code = sqlstate::kConnectionFailure, .message = "the server is gone"}, 3 * 1024 * 1024);
    EXPECT_EQ(error.message, "the server is gone");
    EXPECT_EQ(error.detail, "The disk is full or nearly so: 3 MB are left.");
    EXPECT_NE(error.hint, "");
}

TEST(FullDisk, IsNoExcuseWhereThereIsRoom) {
    const Error error = explain_full_disk(Error{.code = sqlstate::kConnectionFailure, .message = "the server is gone"}, kRoomy);
    EXPECT_EQ(error.detail, "");
    EXPECT_EQ(error.hint, "");
}

}  // namespace
}  // namespace pgmosaic::cli

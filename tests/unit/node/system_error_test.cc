#include "replication/node/internal/system_error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace pgmosaic::node {
namespace {

TEST(FullDiskOfAProgram, IsToldByTheSystemOrByPostgreSql) {
    for (const char* words : {"initdb: error: could not write file: No space left on device\n", "cp: error writing 'x': Disk quota exceeded",
                              "FATAL:  could not extend file \"base/1/2840_fsm\": wrote only 4096 of 8192 bytes at block 0\nHINT:  Check free disk space.\n"}) {
        const Error error = program_error("\"initdb\" failed", words);
        EXPECT_EQ(error.code, sqlstate::kDiskFull) << words;
        EXPECT_EQ(error.message, "\"initdb\" failed: the disk is full");
        EXPECT_NE(error.hint, "");
    }
    EXPECT_EQ(program_error("\"initdb\" failed", "initdb: error: permission denied").code, sqlstate::kIoError);
}

TEST(FullDiskOfTheSystem, IsToldByItsNumber) {
    EXPECT_EQ(system_error("write file", "/x", ENOSPC).code, sqlstate::kDiskFull);
    EXPECT_EQ(system_error("write file", "/x", EACCES).code, sqlstate::kIoError);
}

}  // namespace
}  // namespace pgmosaic::node

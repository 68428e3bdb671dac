#include "coordinator/internal/copy_lines.h"

#include <gtest/gtest.h>

namespace pgmosaic::coordinator {
namespace {

TEST(CopyLines, FindsTheClientsLine) {
    CopyLines lines;
    lines.add(1, 1);
    lines.add(5, 1);
    lines.add(900, 3);  // lines 898 to 900 of the file, 3 to 5 of the shard's
    EXPECT_EQ(lines.find(1), 1u);
    EXPECT_EQ(lines.find(2), 5u);
    EXPECT_EQ(lines.find(3), 898u);
    EXPECT_EQ(lines.find(5), 900u);
    EXPECT_EQ(lines.find(6), std::nullopt);
}

TEST(CopyLines, ForgetsWhatIsLongAgo) {
    CopyLines lines;
    for (std::uint64_t i = 1; i <= CopyLines::kRows * 2; ++i) lines.add(i * 3, 1);
    EXPECT_EQ(lines.find(5), std::nullopt);
    for (const std::uint64_t line : {CopyLines::kRows * 2, CopyLines::kRows * 2 - 77777}) EXPECT_EQ(lines.find(line), line * 3);
}

TEST(CopyLines, LeavesTheLinesOfAFileThatPassedWhole) {
    EXPECT_EQ(with_client_line("COPY t, line 7", CopyLines()), "COPY t, line 7");
}

TEST(CopyLines, RewritesTheContext) {
    CopyLines lines;
    lines.add(41, 1);
    EXPECT_EQ(with_client_line("COPY t, line 1, column id: \"x, line 9\"", lines), "COPY t, line 41, column id: \"x, line 9\"");
    EXPECT_EQ(with_client_line("PL/pgSQL function f()\nCOPY t, line 1", lines), "PL/pgSQL function f()\nCOPY t, line 41");
    EXPECT_EQ(with_client_line("nothing", lines), "nothing");
    EXPECT_NE(with_client_line("COPY t, line 7", lines).find("counted among"), std::string::npos);
}

}  // namespace
}  // namespace pgmosaic::coordinator

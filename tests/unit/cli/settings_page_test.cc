#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/settings.h"

namespace pgmosaic {
namespace {

TEST(SettingsPage, SaysWhatTheTableSays) {
    const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
    std::ifstream file(root / "docs/settings.md");
    std::ostringstream page;
    page << file.rdbuf();
    EXPECT_EQ(page.str(), settings_markdown()) << "run: pgmosaic init --markdown > docs/settings.md";
}

}  // namespace
}  // namespace pgmosaic

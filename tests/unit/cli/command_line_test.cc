#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cli/exit_code.h"
#include "cli/verbs.h"

namespace pgmosaic::cli {
namespace {

struct Ran {
    ExitCode code = ExitCode::kDone;
    std::string out{};
    std::string err{};
};

Ran run(std::vector<std::string> words) {
    words.insert(words.begin(), "pgmosaic");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Ran ran;
    ran.code = run_command_line(static_cast<int>(arguments.size()), arguments.data());
    std::cout.flush();
    ran.out = testing::internal::GetCapturedStdout();
    ran.err = testing::internal::GetCapturedStderr();
    return ran;
}

TEST(CommandLine, TakesUsageErrorsForTwo) {
    EXPECT_EQ(run({}).code, ExitCode::kUsage);
    EXPECT_EQ(run({"up", "--shards", "zero"}).code, ExitCode::kUsage);
    EXPECT_EQ(run({"up", "--shards", "0"}).code, ExitCode::kUsage);
    EXPECT_EQ(run({"up", "--port", "70000"}).code, ExitCode::kUsage);
    EXPECT_EQ(run({"up", "--sample", "bakery"}).code, ExitCode::kUsage);
    EXPECT_EQ(run({"serve"}).code, ExitCode::kUsage);
    EXPECT_EQ(run({"table", "distribute", "orders"}).code, ExitCode::kUsage);
    EXPECT_EQ(run({"table"}).code, ExitCode::kUsage);
    EXPECT_EQ(run({"status", "-o", "xml"}).code, ExitCode::kUsage);
}

TEST(CommandLine, GuessesMistypedCommands) {
    const Ran ran = run({"stauts"});
    EXPECT_EQ(ran.code, ExitCode::kUsage);
    EXPECT_NE(ran.err.find("Did you mean status?"), std::string::npos) << ran.err;
    EXPECT_EQ(ran.out, "");
}

TEST(CommandLine, HelpsOnStandardOutput) {
    const Ran ran = run({"--help"});
    EXPECT_EQ(ran.code, ExitCode::kDone);
    EXPECT_NE(ran.out.find("switchover"), std::string::npos) << ran.out;
    EXPECT_EQ(run({"table", "distribute", "--help"}).code, ExitCode::kDone);
    EXPECT_NE(run({"version"}).out.find("pgmosaic"), std::string::npos);
}

TEST(CommandLine, SaysWhatIsNotThereYet) {
    for (const Verb& verb : verbs()) {
        if (verb.kind != VerbKind::kNotYet) continue;
        std::istringstream words{std::string(verb.words)};
        const Ran ran = run({std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()});
        EXPECT_EQ(ran.code, ExitCode::kFailed) << verb.words;
        EXPECT_NE(ran.err.find("not available in this version"), std::string::npos) << verb.words;
    }
}

TEST(CommandLine, ShowsChangesBeforeItMakesThem) {
    EXPECT_EQ(run({"table", "distribute", "it's", "--by", "id", "--with", "orders", "--dry-run"}).out,
              "SELECT create_distributed_table('it''s', 'id', colocate_with => 'orders');\n");
    EXPECT_EQ(run({"--cluster", "/nowhere", "failover", "s1", "--dry-run"}).out, "SELECT mosaic.failover('s1');\n");
}

TEST(CommandLine, TellsThatAClusterIsOutOfReach) {
    EXPECT_EQ(run({"--cluster", "/nowhere", "status"}).code, ExitCode::kUnreachable);
    EXPECT_EQ(run({"status", "--cluster", "/nowhere"}).code, ExitCode::kUnreachable);
    EXPECT_EQ(run({"down", "/nowhere"}).code, ExitCode::kNotFound);
}

TEST(CommandLine, CompletesInThreeShells) {
    for (const char* shell : {"bash", "zsh", "fish"}) {
        EXPECT_NE(completion_script(shell).find("switchover"), std::string::npos) << shell;
        EXPECT_NE(completion_script(shell).find("distribute"), std::string::npos) << shell;
    }
}

TEST(Verbs, HaveAnExampleThatTheCommandLineTakes) {
    for (const Verb& verb : verbs()) {
        if (verb.kind == VerbKind::kNotYet) continue;
        std::string example(verb.example);
        ASSERT_EQ(example.rfind("pgmosaic ", 0), 0U) << verb.words;
        std::vector<std::string> words;
        if (const std::size_t quote = example.find('\''); quote != std::string::npos) {
            words = {example.substr(9, quote - 10), example.substr(quote + 1, example.rfind('\'') - quote - 1)};
        } else {
            std::istringstream stream(example.substr(9));
            words = {std::istream_iterator<std::string>(stream), std::istream_iterator<std::string>()};
        }
        words.insert(words.end(), {"--cluster", "/nowhere"});
        EXPECT_EQ(run(words).code, ExitCode::kUnreachable) << example;
    }
}

}  // namespace
}  // namespace pgmosaic::cli

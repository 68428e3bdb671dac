#include "shardmap/store/sqlite_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace pgmosaic::store {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SqliteStoreFile : public testing::Test {
   protected:
    SqliteStoreFile() {
        std::string pattern = (fs::temp_directory_path() / "pgm-store-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        path_ = (folder_ / "state" / "map.db").string();
    }
    ~SqliteStoreFile() override { fs::remove_all(folder_); }

    std::unique_ptr<SqliteStore> open() {
        auto opened = SqliteStore::open(path_);
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message + " " + opened.error().detail);
        return opened ? std::move(*opened) : nullptr;
    }

    fs::path folder_;
    std::string path_;
};

TEST_F(SqliteStoreFile, ChangesARecordOnlyAtItsRevision) {
    auto store = open();
    EXPECT_FALSE(store->get("a").value());
    const Revision first = store->compare_and_set("a", {}, "1", "made").value();
    EXPECT_EQ(store->get("a").value()->value, "1");
    EXPECT_EQ(store->get("a").value()->revision, first);
    EXPECT_TRUE(is_conflict(store->compare_and_set("a", {}, "2", "too late").error()));
    const Revision second = store->compare_and_set("a", first, "2", "changed").value();
    EXPECT_GT(second, first);
    EXPECT_TRUE(is_conflict(store->compare_and_set("a", first, "3", "too late").error()));
    EXPECT_TRUE(is_conflict(store->compare_and_remove("a", first, "too late").error()));
    EXPECT_TRUE(store->compare_and_remove("a", second, "gone"));
    EXPECT_FALSE(store->get("a").value());
    EXPECT_TRUE(is_conflict(store->compare_and_set("a", second, "4", "it is gone").error()));
}

TEST_F(SqliteStoreFile, AppliesAllWritesOrNone) {
    auto store = open();
    const Revision a = store->compare_and_set("a", {}, "1", "").value();
    EXPECT_TRUE(is_conflict(store->apply({{"b", {}, "1"}, {"a", {}, "2"}}, "one does not fit").error()));
    EXPECT_FALSE(store->get("b").value());
    EXPECT_EQ(store->list("").value().at, a);
    const Revision both = store->apply({{"b", {}, "1"}, {"a", a, "2"}}, "both fit").value();
    EXPECT_EQ(store->get("a").value()->revision, both);
    EXPECT_EQ(store->get("b").value()->revision, both);
}

TEST_F(SqliteStoreFile, ListsByPrefixWithoutWildcards) {
    auto store = open();
    for (const char* key : {"shard/2", "shard/1", "sh_rd/3", "other"}) ASSERT_TRUE(store->compare_and_set(key, {}, "x", ""));
    const Listing shards = store->list("shard/").value();
    ASSERT_EQ(shards.entries.size(), 2u);
    EXPECT_EQ(shards.entries[0].key, "shard/1");
    EXPECT_EQ(store->list("sh_rd").value().entries.size(), 1u);
    EXPECT_EQ(store->list("%").value().entries.size(), 0u);
    EXPECT_EQ(store->list("").value().entries.size(), 4u);
}

TEST_F(SqliteStoreFile, KeepsHistoryAndEventsOverARestart) {
    {
        auto store = open();
        const Revision first = store->compare_and_set("a", {}, "1", "made").value();
        ASSERT_TRUE(store->compare_and_remove("a", first, "not needed"));
        EXPECT_EQ(store->append_event("failover", R"({"shard":"s1"})").value(), 1u);
        EXPECT_EQ(store->append_event("rejoin", "{}").value(), 2u);
    }
    auto store = open();
    const auto changes = store->history("a", 10).value();
    ASSERT_EQ(changes.size(), 2u);
    EXPECT_FALSE(changes[0].value);
    EXPECT_EQ(changes[0].reason, "not needed");
    EXPECT_EQ(changes[1].value, "1");
    EXPECT_THAT(changes[1].at, testing::MatchesRegex("20..-..-..T..:..:..\\....Z"));
    EXPECT_EQ(store->history("a", 1).value().size(), 1u);
    EXPECT_EQ(store->history("b", 10).value().size(), 0u);
    const auto events = store->events(0, 10).value();
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].kind, "failover");
    EXPECT_EQ(events[0].body, R"({"shard":"s1"})");
    EXPECT_EQ(store->events(1, 10).value().size(), 1u);
    EXPECT_EQ(store->events(0, 1).value()[0].id, 2u);
    EXPECT_GT(store->compare_and_set("a", {}, "2", "").value(), changes[0].revision);
}

// Runs `body` in a child; returns its exit code, or minus the signal that ended it.
template <class Body>
int in_child(Body body) {
    const pid_t child = fork();
    if (child == 0) _exit(body());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST_F(SqliteStoreFile, IsHeldByOneProcessOnly) {
    auto store = open();
    const auto again = SqliteStore::open(path_);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, sqlstate::kObjectInUse);
    const int code = in_child([&] {
        const auto other = SqliteStore::open(path_);
        if (other) return 1;
        return other.error().code == sqlstate::kObjectInUse ? 0 : 2;
    });
    EXPECT_EQ(code, 0);
    store.reset();
    EXPECT_TRUE(open());
}

TEST_F(SqliteStoreFile, LosesNothingAcknowledgedWhenKilled) {
    for (int round = 0; round < 5; ++round) {
        int acknowledged[2];
        ASSERT_EQ(pipe(acknowledged), 0);
        const pid_t child = fork();
        if (child == 0) {
            auto opened = SqliteStore::open(path_);
            if (!opened) _exit(1);
            Revision revision{};
            if (auto entry = (*opened)->get("n").value()) revision = entry->revision;
            for (int n = 0;; ++n) {
                revision = (*opened)->apply({{"n", revision, std::to_string(n)}}, "counting").value();
                if (write(acknowledged[1], &n, sizeof n) != sizeof n) _exit(2);
            }
        }
        close(acknowledged[1]);
        int last = -1;
        while (last < 20 + round * 7 && read(acknowledged[0], &last, sizeof last) == sizeof last) {}
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        while (read(acknowledged[0], &last, sizeof last) == sizeof last) {}
        close(acknowledged[0]);
        auto store = open();
        ASSERT_TRUE(store);
        const int found = std::stoi(store->get("n").value()->value);
        EXPECT_TRUE(found == last || found == last + 1) << found << " after " << last;
    }
}

TEST_F(SqliteStoreFile, LeavesTheStoreAsItWasWhenADiskRefusesMore) {
    ASSERT_TRUE(open()->compare_and_set("a", {}, "1", "before"));
    const int code = in_child([&] {
        signal(SIGXFSZ, SIG_IGN);
        auto store = SqliteStore::open(path_);
        if (!store) return 1;
        const rlimit limit{200'000, 200'000};
        setrlimit(RLIMIT_FSIZE, &limit);
        const Revision revision = (*store)->get("a").value()->revision;
        const auto large = (*store)->apply({{"b", {}, "small"}, {"a", revision, std::string(1'000'000, 'x')}}, "too much");
        if (large) return 2;
        if (large.error().code != sqlstate::kIoError && large.error().code != sqlstate::kDiskFull) return 3;
        if ((*store)->get("a").value()->value != "1" || (*store)->get("b").value()) return 4;
        return (*store)->compare_and_set("a", revision, "2", "small again") ? 0 : 5;
    });
    EXPECT_EQ(code, 0);
    EXPECT_EQ(open()->get("a").value()->value, "2");
}

TEST_F(SqliteStoreFile, SaysWhatIsWrongWithAFile) {
    fs::create_directories(fs::path(path_).parent_path());
    std::ofstream(path_) << std::string(5000, 'x');
    EXPECT_EQ(SqliteStore::open(path_).error().code, sqlstate::kDataCorrupted);

    fs::remove(path_);
    { open()->compare_and_set("a", {}, std::string(20'000, 'x'), "").value(); }
    {
        std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(4096);
        file << std::string(8192, '\x7f');
    }
    const auto damaged = SqliteStore::open(path_);
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().code, sqlstate::kDataCorrupted);
    EXPECT_THAT(damaged.error().message, HasSubstr(path_));

    const auto nowhere = SqliteStore::open("/proc/nowhere/map.db");
    ASSERT_FALSE(nowhere);
    EXPECT_EQ(nowhere.error().code, sqlstate::kIoError);
}

}  // namespace
}  // namespace pgmosaic::store

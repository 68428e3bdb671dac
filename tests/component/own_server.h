#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>

namespace pgmosaic::testing {

/// A plain PostgreSQL 15 in a temporary folder, reachable by its Unix socket only. Gone with the
/// object.
class OwnServer {
 public:
    OwnServer() {
        namespace fs = std::filesystem;
        std::string pattern = (fs::temp_directory_path() / "pgm-server-XXXXXX").string();
        folder_ = mkdtemp(pattern.data());
        fs::permissions(folder_, fs::perms::all);
        if (!run("initdb -D " + data() +
                 " -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync")) {
            return;
        }
        std::ofstream(data() + "/postgresql.conf", std::ios::app)
            << "listen_addresses = ''\nfsync = off\nunix_socket_directories = '" << folder_.string()
            << "'\n";
        started_ = run("pg_ctl -D " + data() + " -l " + data() + "/log -w start");
    }
    ~OwnServer() {
        if (started_) run("pg_ctl -D " + data() + " -m immediate stop");
        std::filesystem::remove_all(folder_);
    }
    OwnServer(const OwnServer&) = delete;
    OwnServer& operator=(const OwnServer&) = delete;

    std::string conninfo() const {
        return "host=" + folder_.string() + " user=postgres dbname=postgres";
    }

 private:
    std::string data() const { return (folder_ / "data").string(); }
    static bool run(const std::string& command) {
        std::string line = "/usr/lib/postgresql/15/bin/" + command + " > /dev/null";
        if (geteuid() == 0)
            line = "setpriv --reuid=postgres --regid=postgres --clear-groups " + line;
        return std::system(line.c_str()) == 0;
    }

    std::filesystem::path folder_;
    bool started_ = false;
};

/// Tests that share one server; with PGM_PARITY_CONNINFO set, that server is asked instead.
class ServerTest : public ::testing::Test {
 protected:
    struct Finish {
        void operator()(PGconn* connection) const { PQfinish(connection); }
    };
    struct Clear {
        void operator()(PGresult* result) const { PQclear(result); }
    };
    using Rows = std::unique_ptr<PGresult, Clear>;

    static void SetUpTestSuite() {
        const char* given = std::getenv("PGM_PARITY_CONNINFO");
        if (given == nullptr) server_ = std::make_unique<OwnServer>();
        connection_.reset(PQconnectdb(given != nullptr ? given : server_->conninfo().c_str()));
        ASSERT_EQ(PQstatus(connection_.get()), CONNECTION_OK) << PQerrorMessage(connection_.get());
    }
    static void TearDownTestSuite() {
        connection_.reset();
        server_.reset();
    }
    /// All columns in binary format; text has the same bytes in both.
    static Rows ask_binary(const std::string& sql) {
        Rows rows(
            PQexecParams(connection_.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 1));
        EXPECT_TRUE(PQresultStatus(rows.get()) == PGRES_TUPLES_OK ||
                    PQresultStatus(rows.get()) == PGRES_COMMAND_OK)
            << sql << "\n"
            << PQerrorMessage(connection_.get());
        return rows;
    }
    static std::string_view cell(const Rows& rows, int row, int column) {
        return {PQgetvalue(rows.get(), row, column),
                static_cast<std::size_t>(PQgetlength(rows.get(), row, column))};
    }

 private:
    static inline std::unique_ptr<OwnServer> server_;
    static inline std::unique_ptr<PGconn, Finish> connection_;
};

}  // namespace pgmosaic::testing

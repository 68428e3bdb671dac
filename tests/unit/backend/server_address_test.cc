#include "backend/server_address.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace pgmosaic::backend {
namespace {

/// A directory with the socket of a server on port 5433, and a plain file where that of 5434 would be.
class NearestHost : public ::testing::Test {
   protected:
    NearestHost() {
        char pattern[] = "/tmp/pgm-sockets-XXXXXX";
        directory_ = mkdtemp(pattern);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        (directory_ + "/.s.PGSQL.5433").copy(address.sun_path, sizeof(address.sun_path) - 1);
        socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
        EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        std::ofstream(directory_ + "/.s.PGSQL.5434") << "no socket";
    }
    ~NearestHost() override {
        close(socket_);
        std::filesystem::remove_all(directory_);
    }

    std::string directory_;
    int socket_ = -1;
};

TEST_F(NearestHost, IsTheSocketOfAServerOnThisMachine) {
    EXPECT_EQ(nearest_host("127.0.0.1", 5433, directory_), directory_);
    EXPECT_EQ(nearest_host("localhost", 5433, directory_), directory_);
}

TEST_F(NearestHost, IsTheHostItselfElsewhere) {
    EXPECT_EQ(nearest_host("10.0.0.1", 5433, directory_), "10.0.0.1");
    EXPECT_EQ(nearest_host("127.0.0.1", 5432, directory_), "127.0.0.1");
    EXPECT_EQ(nearest_host("127.0.0.1", 5434, directory_), "127.0.0.1");
    EXPECT_EQ(nearest_host("127.0.0.1", 5433, ""), "127.0.0.1");
}

}  // namespace
}  // namespace pgmosaic::backend

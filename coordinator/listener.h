#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <list>
#include <string>
#include <vector>

#include "base/error.h"
#include "coordinator/core.h"

namespace pgmosaic::coordinator {

/// Accepts clients on all addresses and gives each to the core that has the fewest.
///
/// Core      the first one's; sessions begin on their own
class Listener {
   public:
    explicit Listener(Cluster& cluster) : cluster_(cluster) {}
    ~Listener();
    /// `host:port` or `unix:/directory`. Errors: 55006 in use, F0000 cannot be read, 58030 cannot be bound.
    Result<void> open(const std::vector<std::string>& addresses);
    /// One accept loop per address, in the first core's tasks.
    void start();
    void close();

   private:
    Result<void> open_tcp(const std::string& host, const std::string& port);
    Result<void> open_unix(const std::string& directory, const std::string& port);
    Task<> accept_tcp(asio::ip::tcp::acceptor& acceptor);
    Task<> accept_unix(asio::local::stream_protocol::acceptor& acceptor);
    Core& emptiest() const;

    Cluster& cluster_;
    std::list<asio::ip::tcp::acceptor> tcp_;
    std::list<asio::local::stream_protocol::acceptor> unix_;
    std::vector<std::string> unlink_;
};

}  // namespace pgmosaic::coordinator

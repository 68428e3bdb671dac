#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <string>

#include "coordinator/cluster.h"

namespace pgmosaic::coordinator {

/// Health checks and metrics over HTTP/1.1, one request per connection.
///
/// Core      the first one's
/// Lifetime  outlives the first core's tasks
/// Errors    open(): 55006 in use, F0000 cannot be read
/// Bound     a request of 8 KiB, 5 s
class Console {
   public:
    explicit Console(Cluster& cluster) : cluster_(cluster) {}
    /// `host:port`; empty: there is none.
    Result<void> open(const std::string& address);
    void start();
    void close();

   private:
    Task<> accept();
    Task<> answer(asio::ip::tcp::socket socket);

    Cluster& cluster_;
    std::optional<asio::ip::tcp::acceptor> acceptor_;
};

}  // namespace pgmosaic::coordinator

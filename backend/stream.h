#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <string>
#include <string_view>

#include "backend/buffer.h"
#include "base/deadline.h"
#include "base/task.h"

namespace pgmosaic::backend {

/// A connected stream socket (TCP or Unix) with a read buffer; used towards clients and towards servers.
///
/// Core    one
/// Errors  boost::system::system_error (connection reset, end of file …)
/// Bound   one fill() reads at most `read_bytes_max` at a time; the buffer grows only while a caller asks for one large frame
class Stream {
   public:
    /// `read_bytes_min`: room for a usual message; it is held while a read waits.
    explicit Stream(asio::generic::stream_protocol::socket socket, std::size_t read_bytes_min = 4096)
        : socket_(std::move(socket)), read_bytes_min_(read_bytes_min), next_read_bytes_(read_bytes_min) {}

    /// Reads at least one byte more into the buffer.
    Task<> fill(std::size_t want = 0);
    /// Sends all of it. Does not suspend when the kernel takes it at once.
    Task<> write(std::string_view bytes);
    /// Tries to send without waiting; returns how much the kernel took.
    std::size_t try_write(std::string_view bytes);

    /// How many bytes the kernel has taken since the beginning.
    std::uint64_t written() const { return written_; }

    Buffer& input() { return input_; }
    asio::generic::stream_protocol::socket& socket() { return socket_; }
    /// Ends both directions: whoever waits on this stream gets an end of file. Idempotent.
    void shutdown();
    void close();
    /// Sends what the kernel takes at once and swallows errors: a last word to somebody who may be gone.
    void try_write_quietly(std::string_view bytes);
    /// Whoever waits in fill() gets an end of file; writing still works.
    void stop_reading();

   private:
    asio::generic::stream_protocol::socket socket_;
    Buffer input_;
    std::size_t read_bytes_min_;
    std::size_t next_read_bytes_;
    std::uint64_t written_ = 0;
};

/// While it lives, a passed deadline shuts the stream down; fill() and write() then throw, and fired() is true.
class StreamDeadline {
   public:
    StreamDeadline(Stream& stream, Deadline deadline);
    ~StreamDeadline();
    StreamDeadline(const StreamDeadline&) = delete;
    StreamDeadline& operator=(const StreamDeadline&) = delete;
    bool fired() const;

   private:
    struct State;
    std::shared_ptr<State> state_;  ///< the timer's handler may be last
};

}  // namespace pgmosaic::backend

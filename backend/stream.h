#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <string>
#include <string_view>

#include "backend/buffer.h"
#include "backend/tls.h"
#include "base/deadline.h"
#include "base/task.h"

namespace pgmosaic::backend {

/// A connected stream socket (TCP or Unix) with a read buffer; used towards clients and towards servers. It is plain until
/// start_tls() or adopt_tls(); a plain one pays one comparison per call for that.
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
    /// Tries to send without waiting; returns how much the kernel took. What is left must be what the next call begins with:
    /// encrypted, some of it may be on its way already.
    std::size_t try_write(std::string_view bytes);

    /// How many bytes the kernel has taken since the beginning.
    std::uint64_t written() const { return written_; }
    /// The same with those that cannot be taken back any more.
    std::uint64_t promised() const { return written_ + promised_; }

    /// The handshake; from then on everything is encrypted. Errors: as reading does; tls()->failure() says more.
    Task<> start_tls(std::unique_ptr<TlsChannel> channel);
    /// The same for a connection on which the handshake is over.
    void adopt_tls(std::unique_ptr<TlsChannel> channel) { tls_ = std::move(channel); }
    const TlsChannel* tls() const { return tls_.get(); }
    /// An idle connection gives its memory back.
    void rest();

    Buffer& input() { return input_; }
    asio::generic::stream_protocol::socket& socket() { return socket_; }
    /// Ends both directions: whoever waits on this stream gets an end of file. Idempotent.
    void shutdown();
    void close();
    /// Tells the peer of an encrypted stream that its end is meant (close_notify).
    void say_goodbye();
    /// Sends what the kernel takes at once and swallows errors: a last word to somebody who may be gone.
    void try_write_quietly(std::string_view bytes);
    /// Whoever waits in fill() gets an end of file; writing still works.
    void stop_reading();
    /// Whoever waits in fill() goes on with nothing read.
    void interrupt_read();

   private:
    Task<> fill_encrypted(std::size_t want);
    std::size_t try_write_encrypted(std::string_view bytes);
    std::size_t try_send(std::string_view bytes);
    bool try_send_records();
    Task<> send_records();
    void note_read(std::size_t count, std::size_t room);

    asio::generic::stream_protocol::socket socket_;
    std::unique_ptr<TlsChannel> tls_;  ///< null: plain
    std::size_t promised_ = 0;         ///< bytes that are encrypted and not counted as written
    Buffer input_;
    std::size_t read_bytes_min_;
    std::size_t next_read_bytes_;
    std::uint64_t written_ = 0;
    bool reading_ = false;
    bool interrupted_ = false;
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

#include "backend/stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <utility>

namespace pgmosaic::backend {

namespace {

constexpr std::size_t kReadBytesMax = 65536;

}  // namespace

Task<> Stream::fill(std::size_t want) {
    if (tls_) [[unlikely]] {
        co_await fill_encrypted(want);
        co_return;
    }
    const std::size_t room = std::max(next_read_bytes_, want);
    char* target = input_.reserve(room);
    boost::system::error_code error;
    reading_ = true;
    const std::size_t count = co_await socket_.async_read_some(asio::buffer(target, input_.room()), asio::redirect_error(asio::use_awaitable, error));
    reading_ = false;
    const bool interrupted = std::exchange(interrupted_, false);
    if (error && !(interrupted && error == asio::error::operation_aborted)) throw boost::system::system_error(error);
    if (error) co_return;
    input_.added(count);
    note_read(count, room);
}

/// A stream that fills its buffer gets a larger one, a talker of small messages keeps a small one.
void Stream::note_read(std::size_t count, std::size_t room) {
    if (count >= room) {
        next_read_bytes_ = std::min(next_read_bytes_ * 4, kReadBytesMax);
    } else if (count < read_bytes_min_) {
        next_read_bytes_ = read_bytes_min_;
    }
}

std::size_t Stream::try_write(std::string_view bytes) {
    if (tls_) [[unlikely]] return try_write_encrypted(bytes);
    const std::size_t sent = try_send(bytes);
    written_ += sent;
    return sent;
}

std::size_t Stream::try_send(std::string_view bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
        const ssize_t count =
            ::send(socket_.native_handle(), bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK) break;
            throw boost::system::system_error(errno, boost::system::system_category());
        }
        sent += static_cast<std::size_t>(count);
    }
    return sent;
}

Task<> Stream::write(std::string_view bytes) {
    std::size_t sent = try_write(bytes);
    while (sent < bytes.size()) {
        if (tls_) [[unlikely]] {
            co_await send_records();
            sent += try_write(bytes.substr(sent));
            continue;
        }
        const std::size_t count =
            co_await socket_.async_write_some(asio::buffer(bytes.data() + sent, bytes.size() - sent), asio::use_awaitable);
        sent += count;
        written_ += count;
    }
}

void Stream::shutdown() {
    boost::system::error_code ignored;
    if (socket_.is_open()) socket_.shutdown(asio::socket_base::shutdown_both, ignored);
}

void Stream::try_write_quietly(std::string_view bytes) {
    try {
        if (socket_.is_open()) try_write(bytes);
    } catch (const boost::system::system_error&) {
        // Nobody is left to be told.
    }
}

void Stream::stop_reading() {
    boost::system::error_code ignored;
    if (socket_.is_open()) socket_.shutdown(asio::socket_base::shutdown_receive, ignored);
}

void Stream::interrupt_read() {
    if (!reading_) return;
    interrupted_ = true;
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

void Stream::close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
}

struct StreamDeadline::State {
    explicit State(Stream& s) : stream(&s), timer(s.socket().get_executor()) {}
    Stream* stream;
    asio::steady_timer timer;
    bool fired = false;
};

StreamDeadline::StreamDeadline(Stream& stream, Deadline deadline) : state_(std::make_shared<State>(stream)) {
    if (deadline.at == Clock::time_point::max()) return;
    state_->timer.expires_at(deadline.at);
    state_->timer.async_wait([state = state_](boost::system::error_code error) {
        if (error || state->stream == nullptr) return;
        state->fired = true;
        state->stream->shutdown();
    });
}

StreamDeadline::~StreamDeadline() {
    state_->stream = nullptr;
    state_->timer.cancel();
}

bool StreamDeadline::fired() const { return state_->fired; }

}  // namespace pgmosaic::backend

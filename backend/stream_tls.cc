#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>
#include <utility>

#include "backend/stream.h"

/// The encrypted half of Stream: moves records between the socket and the channel.
namespace pgmosaic::backend {

namespace {

/// Four records of the largest size: one system call for a large answer.
constexpr std::size_t kEncryptBytes = 65536;
constexpr std::size_t kRecordsBytesMin = 512;

}  // namespace

Task<> Stream::start_tls(std::unique_ptr<TlsChannel> channel) {
    tls_ = std::move(channel);
    while (true) {
        std::exception_ptr failure;
        bool done = false;
        try {
            done = tls_->handshake();
        } catch (const boost::system::system_error&) {
            failure = std::current_exception();
        }
        // Also after a failure: the alert says what was wrong.
        co_await send_records();
        if (failure) std::rethrow_exception(failure);
        if (done) co_return;
        char* target = tls_->received().reserve(kRecordsBytesMin);
        const std::size_t count =
            co_await socket_.async_read_some(asio::buffer(target, tls_->received().room()), asio::use_awaitable);
        tls_->received().added(count);
    }
}

Task<> Stream::fill_encrypted(std::size_t want) {
    const std::size_t room = std::max(next_read_bytes_, want);
    char* target = input_.reserve(room);
    std::size_t count = tls_->decrypt(target, input_.room());
    while (count == 0) {
        if (!try_send_records()) co_await send_records();  // a key update is answered
        char* records = tls_->received().reserve(std::max(next_read_bytes_, kRecordsBytesMin));
        boost::system::error_code error;
        reading_ = true;
        const std::size_t there =
            co_await socket_.async_read_some(asio::buffer(records, tls_->received().room()), asio::redirect_error(asio::use_awaitable, error));
        reading_ = false;
        const bool interrupted = std::exchange(interrupted_, false);
        if (error && !(interrupted && error == asio::error::operation_aborted)) throw boost::system::system_error(error);
        if (error) co_return;
        tls_->received().added(there);
        count = tls_->decrypt(target, input_.room());
    }
    input_.added(count);
    // What has arrived is taken as far as there is room, so that one wait brings as much as on a plain stream.
    try {
        for (std::size_t more = 1; more > 0 && count < room; count += more) {
            more = tls_->decrypt(target + count, room - count);
            input_.added(more);
        }
    } catch (const boost::system::system_error&) {
        // The end comes behind what was read: the next call tells of it.
    }
    note_read(count, room);
}

std::size_t Stream::try_write_encrypted(std::string_view bytes) {
    if (!try_send_records()) return 0;
    std::size_t taken = std::min(std::exchange(promised_, 0), bytes.size());
    while (taken < bytes.size()) {
        const std::string_view next = bytes.substr(taken, kEncryptBytes);
        tls_->encrypt(next);
        if (!try_send_records()) {
            promised_ = next.size();
            break;
        }
        taken += next.size();
    }
    written_ += taken;
    return taken;
}

/// True if nothing is left.
bool Stream::try_send_records() {
    const std::string_view records = tls_->unsent();
    if (records.empty()) return true;
    tls_->sent(try_send(records));
    return tls_->unsent().empty();
}

Task<> Stream::send_records() {
    while (!try_send_records()) {
        const std::string_view records = tls_->unsent();
        const std::size_t count =
            co_await socket_.async_write_some(asio::buffer(records.data(), records.size()), asio::use_awaitable);
        tls_->sent(count);
    }
}

void Stream::rest() {
    input_.release_if_empty();
    if (tls_) tls_->rest();
}

void Stream::say_goodbye() {
    if (!tls_ || !socket_.is_open()) return;
    try {
        tls_->close();
        try_send_records();
    } catch (const boost::system::system_error&) {
        // Nobody is left to be told.
    }
}

}  // namespace pgmosaic::backend

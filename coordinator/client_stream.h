#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/stream.h"

namespace pgmosaic::coordinator {

/// The client's socket with what waits to be sent to it.
class ClientStream {
   public:
    explicit ClientStream(asio::generic::stream_protocol::socket socket) : stream_(std::move(socket), kIdleBytes) {}
    backend::Stream& stream() { return stream_; }
    std::string& out() { return out_; }
    Task<> flush() {
        if (out_.empty()) co_return;
        co_await stream_.write(out_);
        out_.clear();
        if (out_.capacity() > kKeepBytes) out_.shrink_to_fit();
    }
    /// The same as far as it goes without waiting: true if nothing is left for flush().
    bool flush_now() {
        if (out_.empty()) return true;
        out_.erase(0, stream_.try_write(out_));
        if (out_.empty() && out_.capacity() > kKeepBytes) out_.shrink_to_fit();
        return out_.empty();
    }
    /// An idle client gives its memory back, but for what a short message takes.
    void rest() {
        stream_.rest();
        if (out_.empty() && out_.capacity() > kIdleBytes) out_.shrink_to_fit();
    }
    /// Sends `bytes` behind what waits, without copying them where nothing waits.
    Task<> send(std::string_view bytes) {
        if (out_.empty()) {
            co_await stream_.write(bytes);
        } else {
            out_ += bytes;
            if (out_.size() >= kFlushBytes) co_await flush();
        }
    }
    /// The same without waiting: true if nothing of `bytes` is left to send(); what was sent is taken off.
    bool send_now(std::string_view& bytes) {
        if (out_.empty()) bytes.remove_prefix(stream_.try_write(bytes));
        if (bytes.empty() || out_.empty() || out_.size() + bytes.size() >= kFlushBytes) return bytes.empty();
        out_ += bytes;
        return true;
    }
    /// Where the next byte of an answer will stand in all that this client gets.
    std::uint64_t position() const { return stream_.written() + out_.size(); }
    /// Forgets what was answered from there on; false if the client may have seen some of it.
    bool take_back(std::uint64_t position) {
        if (position < stream_.promised()) return false;
        out_.resize(static_cast<std::size_t>(position - stream_.written()));
        return true;
    }
    static constexpr std::size_t kFlushBytes = 32768;

   private:
    static constexpr std::size_t kKeepBytes = 65536;
    static constexpr std::size_t kIdleBytes = 512;
    backend::Stream stream_;
    std::string out_;
};

}  // namespace pgmosaic::coordinator

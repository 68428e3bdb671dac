#pragma once

#include <string>
#include <string_view>

#include "backend/stream.h"

namespace pgmosaic::coordinator {

/// The client's socket with what waits to be sent to it.
class ClientStream {
   public:
    explicit ClientStream(asio::generic::stream_protocol::socket socket) : stream_(std::move(socket)) {}
    backend::Stream& stream() { return stream_; }
    std::string& out() { return out_; }
    Task<> flush() {
        if (out_.empty()) co_return;
        co_await stream_.write(out_);
        out_.clear();
        if (out_.capacity() > kKeepBytes) out_.shrink_to_fit();
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
    static constexpr std::size_t kFlushBytes = 32768;

   private:
    static constexpr std::size_t kKeepBytes = 65536;
    backend::Stream stream_;
    std::string out_;
};

}  // namespace pgmosaic::coordinator

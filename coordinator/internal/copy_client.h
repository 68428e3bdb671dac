#pragma once

#include <string>
#include <string_view>

#include "coordinator/client_stream.h"

namespace pgmosaic::coordinator {

/// What a client sends during COPY FROM STDIN, piece by piece: a message of 1 GB never lies in memory as a whole.
///
/// Lifetime  borrows the client's stream, whose input begins behind the message that started the COPY
/// Errors    08P01 for messages that have no place here; system_error when the client goes
class CopyClient {
   public:
    enum class What : std::uint8_t { kData, kDone, kFail };
    struct Piece {
        What what = What::kData;
        std::string_view bytes{};  ///< data, until used(); kFail: the client's reason
    };

    explicit CopyClient(ClientStream& client) : client_(client) {}

    Task<Piece> next();
    /// The data that next() returned last has been used.
    void used();
    /// Passes over the rest of a message that was begun: the next one starts at the front of the input again.
    Task<> leave();

   private:
    Task<> wait(std::size_t want);
    Task<> wait_for_frame();
    Piece take_control();

    ClientStream& client_;
    std::size_t data_left_ = 0;  ///< of the CopyData message in hand
    std::size_t piece_ = 0;
    std::string reason_;
};

}  // namespace pgmosaic::coordinator

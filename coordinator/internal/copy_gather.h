#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "planner/plan.h"
#include "wire/frame.h"

namespace pgmosaic::coordinator {

/// Joins what the shards answer to COPY … TO STDOUT, one shard after the other, into one COPY for the client: one
/// CopyOutResponse, one head, one end.
///
/// Shape   messages of a server as they lie in its buffer → CopyData messages for the client; the server puts each row, and a
///         text header, into a message of its own, and a binary head into that of the first row
/// Errors  08P01 for what is not of that shape
/// Bound   one message that is not CopyData; rows pass in pieces
class CopyGather {
   public:
    CopyGather(planner::Copy::Format format, bool header) : format_(format), header_(header) {}

    /// The next shard's answer begins; `skip` answers of statements before it are passed over.
    void begin(int skip);
    /// Takes what can be taken of `data`, appends to `out`, and returns how much was taken. `want()` more bytes are needed to
    /// go on if that is nothing. `note` sees every message that is not CopyData.
    std::size_t take(std::string_view data, std::string& out, const std::function<void(const wire::Frame&)>& note);
    std::size_t want() const { return want_; }
    /// The shard's ReadyForQuery has come.
    bool done() const { return done_; }
    const std::optional<Error>& error() const { return error_; }
    std::uint64_t rows() const { return rows_; }
    /// After the last shard: what ends the client's COPY.
    void end(std::string& out) const;

   private:
    std::size_t take_data(std::string_view data, std::size_t bytes, std::string& out);
    std::size_t take_binary(std::string_view data, std::size_t bytes, std::string& out);
    std::size_t pass(std::string_view data, std::size_t bytes, std::string& out, bool forward);
    void take_other(const wire::Frame& frame, std::string& out);

    planner::Copy::Format format_;
    bool header_;
    bool first_shard_ = true;
    bool first_message_ = true;  ///< no CopyData of this shard has come yet
    bool answered_ = false;      ///< the client has its CopyOutResponse
    std::size_t piece_left_ = 0;  ///< of a CopyData message in the middle of which `data` ended
    bool piece_forward_ = false;
    std::size_t want_ = 0;
    int skip_ = 0;
    bool done_ = false;
    bool begun_ = false;
    std::optional<Error> error_;
    std::uint64_t rows_ = 0;
};

}  // namespace pgmosaic::coordinator

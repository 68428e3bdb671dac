#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "coordinator/internal/copy_lines.h"
#include "coordinator/session.h"

namespace pgmosaic::coordinator {

/// One shard's side of a COPY FROM STDIN.
///
/// Lifetime  borrows the participant and the session
/// Errors    an ErrorResponse of the shard is kept in error(), a lost connection in lost(); nothing is thrown for them
/// Bound     `kFrameBytes` and a row before they are written
class CopyTarget {
   public:
    CopyTarget(Session& session, Participant& participant) : session_(session), participant_(participant) {}

    ShardId shard() const { return participant_.shard(); }
    Participant& participant() { return participant_; }

    /// Puts the statement into the output; what is added afterwards follows it without waiting for the answer.
    void start(std::string_view sql);
    /// Reads until the shard has said CopyInResponse, or has failed.
    Task<> until_answered();
    /// Reads until the shard is ready for the next statement, beside whoever writes.
    Task<> until_ready();
    /// CopyInResponse as the shard sent it.
    const std::string& response() const { return response_; }

    void add(std::string_view bytes);
    /// The same for a row that ends at this line of the client's file.
    void add_row(std::string_view bytes, std::uint64_t client_line, std::uint32_t lines) {
        add(bytes);
        lines_.add(client_line, lines);
    }
    bool full() const { return participant_.connection().out().size() >= kFrameBytes; }
    Task<> flush();
    Task<> finish();
    /// What has not been sent is dropped; the shard rolls back and says so.
    Task<> fail(std::string_view reason);
    /// Nothing more is said to the shard: its session is closed, which rolls back, too.
    void cut();

    bool ended() const { return done_ || lost_; }
    bool failed() const { return error_.has_value() || lost_; }
    bool lost() const { return lost_; }
    /// The shard's error, its line number in the client's counting.
    std::optional<Error> error() const;
    const std::string& tag() const { return tag_; }

   private:
    static constexpr std::size_t kFrameBytes = 49152;
    static constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    void end_frame();
    void take(const wire::Frame& frame);

    Session& session_;
    Participant& participant_;
    CopyLines lines_;
    std::size_t unsent_start_ = 0;  ///< so much of the output is the statement and what goes before it: not sent yet
    std::size_t frame_at_ = kNone;  ///< where the CopyData message that is being filled begins in the output
    std::string response_;
    std::string tag_;
    std::optional<Error> error_;
    bool answered_ = false;
    bool done_ = false;
    bool lost_ = false;
};

}  // namespace pgmosaic::coordinator

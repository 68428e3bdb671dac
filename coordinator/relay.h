#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "backend/connection.h"
#include "coordinator/client_stream.h"

namespace pgmosaic::coordinator {

/// What the server owes for a message that was sent to it, and whether the client sees it.
struct Expect {
    enum class Kind : std::uint8_t {
        kParse, kBind, kDescribe, kExecute, kClose,
        kSync,   ///< up to ReadyForQuery; after an error the server skips to it
        kQuery,  ///< a simple query: everything up to ReadyForQuery
        kLocal,  ///< nothing from the server: an answer of our own takes its turn (see Relay::answer_in_turn)
    };
    Kind kind = Kind::kQuery;
    bool forward = true;
    bool forward_ready = false;  ///< kSync, kQuery: ReadyForQuery goes to the client, too
    bool swallow_complete = false;  ///< the command tag stays with us (see Relay::tag)
    bool rows_only = false;         ///< kDescribe: that there are no rows is not told
};

/// Passes a server's answers to the client, byte by byte where nothing needs to be changed.
///
/// Core    the session's
/// Errors  ConnectionLost when the server goes; system_error when the client goes
/// Bound   one message that is not a row at a time; rows pass through a buffer of 64 KiB
class Relay {
   public:
    void expect(Expect expected) { queue_.push_back(expected); }
    /// An answer of our own goes to the client when the server has answered what it owes by now.
    void answer_in_turn(std::string bytes);
    bool idle() const { return front_ == queue_.size(); }
    void clear();

    /// Sends what waits in the connection and passes answers on until nothing is owed.
    Task<> drain(backend::Connection& connection, ClientStream& client);

    /// True if an error has passed (or been swallowed) since the last reset().
    bool failed() const { return failed_; }
    /// The last error, whether the client saw it or not.
    const Error& error() const { return error_; }
    /// A query put in front of the statement failed, which nobody asked for: the server session is in an unknown state.
    bool prelude_failed() const { return prelude_failed_; }
    bool sent_to_client() const { return sent_; }
    /// The last command tag that passed.
    const std::string& tag() const { return tag_; }
    /// Nothing is owed any more that the client is to see, but for ReadyForQuery.
    bool answered() const;
    /// Part of a row has been passed on, and its rest is awaited.
    bool in_row() const { return row_left_ > 0 && row_forward_; }
    void reset() {
        hold_back = false;
        failed_ = sent_ = prelude_failed_ = false;
        tag_.clear();
    }

    std::string error_context;  ///< added to errors: `shard s2`; empty: none
    /// Called when a commit ended before its standby had it; returns when a barrier was acknowledged.
    std::function<Task<>()> on_unreplicated;
    bool keep_tags = false;
    /// Set there: the client is told this where the server says that the statement was cancelled. Lives as long as the relay.
    const std::optional<Error>* instead_of_cancel = nullptr;
    bool hold_back = false;  ///< answers wait in the client's output (within its bound) until somebody flushes it; see reset()

   private:
    enum class Verdict : std::uint8_t { kForward, kSwallow };
    /// What one look into the server's buffer came to.
    struct Look {
        std::size_t end = 0;   ///< looked at up to here
        std::size_t run = 0;   ///< [run, end) is to be forwarded and has not been
        std::size_t want = 0;  ///< so much is missing of the message at the end
        bool hold = false;     ///< on_unreplicated comes before anything else
    };
    Look look(std::string_view data, backend::Connection& connection, ClientStream& client);
    void take_row(std::string_view data, std::size_t bytes, Look& look, ClientStream& client);
    void take_message(std::string_view data, std::size_t bytes, Look& look, backend::Connection& connection,
                      ClientStream& client);
    Verdict judge(const wire::Frame& frame, ClientStream& client);
    Verdict on_error(const wire::Frame& frame, ClientStream& client);
    Task<> forward(std::string_view bytes, ClientStream& client);
    Expect& front() { return queue_[front_]; }
    void finish_front();
    void pass_local(ClientStream& client);

    std::vector<Expect> queue_;  ///< from front_ on
    std::size_t front_ = 0;
    std::deque<std::string> local_;  ///< one for each kLocal in the queue
    std::size_t row_left_ = 0;       ///< of a row that passes in pieces
    bool row_forward_ = false;
    bool failed_ = false;
    bool sent_ = false;
    bool prelude_failed_ = false;
    Error error_;
    std::string tag_;
};

}  // namespace pgmosaic::coordinator

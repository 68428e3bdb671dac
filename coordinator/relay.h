#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "backend/connection.h"
#include "coordinator/client_stream.h"

namespace pgmosaic::coordinator {

/// What the server owes for a message that was sent to it, and whether the client sees it.
struct Expect {
    enum class Kind : std::uint8_t {
        kParse, kBind, kDescribe, kExecute, kClose,
        kSync,   ///< up to ReadyForQuery; after an error the server skips to it
        kQuery,  ///< a simple query: everything up to ReadyForQuery
        kLocal,  ///< nothing from the server: `bytes` take their turn
    };
    Kind kind = Kind::kQuery;
    bool forward = true;
    bool forward_ready = false;  ///< kSync, kQuery: ReadyForQuery goes to the client, too
    bool swallow_complete = false;  ///< the command tag stays with us (see Relay::tag)
    std::string bytes{};
};

/// Passes a server's answers to the client, byte by byte where nothing needs to be changed.
///
/// Core    the session's
/// Errors  ConnectionLost when the server goes; system_error when the client goes
/// Bound   one message that is not a row at a time; rows pass through a buffer of 64 KiB
class Relay {
   public:
    void expect(Expect expected) { queue_.push_back(std::move(expected)); }
    bool idle() const { return queue_.empty(); }
    void clear() { queue_.clear(); }

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
    void reset() {
        failed_ = sent_ = prelude_failed_ = false;
        tag_.clear();
    }

    std::string error_context;  ///< added to errors: `shard s2`; empty: none
    /// Called when a commit ended before its standby had it; returns when a barrier was acknowledged.
    std::function<Task<>()> on_unreplicated;
    bool keep_tags = false;

   private:
    enum class Verdict : std::uint8_t { kForward, kSwallow };
    Verdict judge(const wire::Frame& frame, ClientStream& client);
    Verdict on_error(const wire::Frame& frame, ClientStream& client);
    void finish_front();
    void pass_local(ClientStream& client);

    std::deque<Expect> queue_;
    bool failed_ = false;
    bool sent_ = false;
    bool prelude_failed_ = false;
    Error error_;
    std::string tag_;
};

}  // namespace pgmosaic::coordinator

#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/session.h"

/// One statement on one shard, by the extended protocol on the server's side whatever the client speaks, so that columns can
/// have a format each.
namespace pgmosaic::coordinator {

/// The formats of the columns of a shard's answer: the client's for the first `visible`, binary for `hidden` more. With
/// hidden = 0 the client's own list is used as it came.
struct ShardFormats {
    std::size_t visible = 0;
    std::size_t hidden = 0;
    std::size_t leading_text = 0;  ///< columns in text format before those
};

/// Appends Parse unless the server session has it. Returns the statement's name there. `environment`: what the text was planned for; a
/// text without parameters that comes again is then given a name, too.
std::string put_parse(Participant& participant, Core& core, const Request& request, std::string_view sql, std::uint64_t environment = 0);
void put_unnamed_parse(Participant& participant, const Request& request, std::string_view sql);
/// Bind of the statement with the request's parameters to the unnamed portal: from here on its snapshot is fixed.
void put_bind(Participant& participant, const Request& request, std::string_view name, const ShardFormats& formats);
/// Describe and Execute of the unnamed portal, and Sync.
void put_execution(Participant& participant);
/// All of them together.
void put_statement(Participant& participant, Core& core, const Request& request, std::string_view sql, const ShardFormats& formats);

/// What one shard answers to put_statement(), frame by frame.
///
/// Lifetime  the participant outlives it; destroyed in the middle of an answer, it marks the server session as broken, for
///           what is still to come would be taken for the next statement's
/// Errors    ConnectionLost; a shard's ErrorResponse is kept in `error`, and the rest is read up to ReadyForQuery
class ShardReply {
   public:
    explicit ShardReply(Participant& participant) : participant_(&participant) {}
    ShardReply(ShardReply&& other) noexcept;
    ShardReply& operator=(ShardReply&& other) = delete;
    ~ShardReply();

    Participant& participant() { return *participant_; }
    bool done() const { return done_; }
    bool described() const { return described_; }
    const std::vector<wire::Field>& fields() const { return fields_; }
    const std::string& tag() const { return tag_; }
    const std::optional<Error>& error() const { return error_; }
    /// How many ParseComplete and BindComplete have come.
    int parsed() const { return parsed_; }
    int bound() const { return bound_; }

    /// Takes what is in the buffer: rows go to `row` until `more` says no (then this returns), everything else is looked at
    /// here. True if anything was taken.
    template <class Row, class More>
    bool take(Row&& row, More&& more);
    /// Reads at least one byte more from the server.
    Task<> fill() { return participant_->connection().fill(want_); }
    /// Reads until what was put in front of the statement is answered, and so many Parse and Bind; or it has failed.
    Task<> until_bound(int parsed, int bound);
    /// Reads until the columns are known, the statement has failed, or it is over.
    Task<> until_described();
    /// Reads to the end, rows to nobody.
    Task<> skip_to_end();
    /// The statement, whose answer is over, is run again: nothing of that answer counts.
    void restart();
    /// Reads to the end, rows collected as DataRow bodies.
    Task<> collect(std::vector<std::string>& rows);
    std::vector<std::string> notices;  ///< NoticeResponse frames that came with it

   private:
    bool take_other(const wire::Frame& frame);

    Participant* participant_;
    std::vector<wire::Field> fields_;
    std::string tag_;
    std::optional<Error> error_;
    std::size_t want_ = 0;
    int parsed_ = 0;
    int bound_ = 0;
    bool described_ = false;
    bool done_ = false;
};

template <class Row, class More>
bool ShardReply::take(Row&& row, More&& more) {
    backend::Buffer& input = participant_->connection().stream().input();
    bool any = false;
    want_ = 0;
    while (!done_ && more()) {
        const auto frame = wire::next_frame(input.unread());
        if (!frame) {
            const std::size_t whole = wire::frame_bytes(input.unread());
            if (whole > input.unread().size()) want_ = whole - input.unread().size();
            break;
        }
        const std::size_t bytes = frame->whole.size();
        if (participant_->ready_to_skip == 0 && frame->type == 'D') row(frame->body);
        else take_other(*frame);
        input.consume(bytes);
        any = true;
    }
    return any;
}

/// The error as the client sees it, with the shard named.
[[noreturn]] void throw_shard_error(const Session& session, ShardId shard, Error error);

/// Runs one statement on several shards side by side and waits for all; rows are dropped. Errors: the first shard's that failed.
Task<> run_on_shards(Session& session, const std::vector<ShardId>& shards, std::string sql, bool writes);

/// Takes the leading `count` text columns of a row off as an item of VALUES, and leaves the rest as a DataRow body.
/// Errors: 08P01.
std::string take_values(std::string_view body, std::size_t count, std::string& rest);

}  // namespace pgmosaic::coordinator

#include "coordinator/relay.h"

#include "wire/reader.h"

namespace pgmosaic::coordinator {

namespace {

/// Rows may pass in pieces: nobody looks into them.
bool may_pass_in_pieces(char type) { return type == 'D' || type == 'd'; }

}  // namespace

void Relay::finish_front() {
    if (++front_ < queue_.size()) return;
    queue_.clear();  // keeps its memory
    front_ = 0;
}

void Relay::clear() {
    queue_.clear();
    local_.clear();
    front_ = row_left_ = 0;
}

bool Relay::answered() const {
    if (row_left_ > 0) return false;
    for (std::size_t i = front_; i < queue_.size(); ++i) {
        if (queue_[i].kind == Expect::Kind::kLocal || (queue_[i].forward && queue_[i].kind != Expect::Kind::kSync)) return false;
    }
    return true;
}

void Relay::answer_in_turn(std::string bytes) {
    local_.push_back(std::move(bytes));
    queue_.push_back({.kind = Expect::Kind::kLocal});
}

void Relay::pass_local(ClientStream& client) {
    while (!idle() && front().kind == Expect::Kind::kLocal) {
        client.out() += local_.front();
        local_.pop_front();
        finish_front();
    }
}

Relay::Verdict Relay::on_error(const wire::Frame& frame, ClientStream& client) {
    failed_ = true;
    error_ = wire::read_error(frame.body);
    const bool forward = front().forward || front().kind != Expect::Kind::kQuery;
    if (front().kind != Expect::Kind::kQuery) {
        while (!idle() && front().kind != Expect::Kind::kSync) {
            if (front().kind == Expect::Kind::kLocal) local_.pop_front();
            finish_front();
        }
    }
    if (!forward) {
        prelude_failed_ = true;
        return Verdict::kSwallow;
    }
    if (instead_of_cancel != nullptr && *instead_of_cancel && error_.code == sqlstate::kQueryCanceled) {
        error_ = **instead_of_cancel;
        wire::write_error(client.out(), error_);
        return Verdict::kSwallow;
    }
    if (error_context.empty()) return Verdict::kForward;
    wire::write_error_with_context(client.out(), 'E', frame.body, error_context);
    return Verdict::kSwallow;
}

Relay::Verdict Relay::judge(const wire::Frame& frame, ClientStream& client) {
    const Expect expected = front();
    const Verdict verdict = expected.forward ? Verdict::kForward : Verdict::kSwallow;
    switch (frame.type) {
        case 'E':
            return on_error(frame, client);
        case 'Z': {
            const bool forward = expected.forward_ready;
            if (expected.kind == Expect::Kind::kQuery || expected.kind == Expect::Kind::kSync) finish_front();
            return forward ? Verdict::kForward : Verdict::kSwallow;
        }
        case '1':
            if (expected.kind == Expect::Kind::kParse) finish_front();
            return verdict;
        case '2':
            if (expected.kind == Expect::Kind::kBind) finish_front();
            return verdict;
        case '3':
            if (expected.kind == Expect::Kind::kClose) finish_front();
            return verdict;
        case 'n':
        case 'T':
            if (expected.kind == Expect::Kind::kDescribe) finish_front();
            return frame.type == 'n' && expected.rows_only ? Verdict::kSwallow : verdict;
        case 'C':
            if (keep_tags) tag_ = wire::Reader(frame.body).cstring();
            if (expected.swallow_complete) {
                if (expected.kind == Expect::Kind::kExecute) finish_front();
                return Verdict::kSwallow;
            }
            [[fallthrough]];
        case 'I':
        case 's':
            if (expected.kind == Expect::Kind::kExecute) finish_front();
            return verdict;
        case 'A':
            return Verdict::kForward;
        case 'N':
            if (backend::is_end_of_server(frame.body)) return Verdict::kSwallow;  // the shard's end is not the client's
            return expected.forward || expected.forward_ready ? Verdict::kForward : Verdict::kSwallow;
        case 'S':  // comes before ReadyForQuery, and belongs to whom that goes
            return expected.forward || expected.forward_ready ? Verdict::kForward : Verdict::kSwallow;
        default:
            return verdict;
    }
}

/// A whole row, or the part of one that is there: by far the commonest message, and nothing to note.
void Relay::take_row(std::string_view data, std::size_t bytes, Look& look, ClientStream& client) {
    const std::size_t there = std::min(bytes, data.size() - look.end);
    if (row_left_ == 0) row_forward_ = front().forward;
    row_left_ = bytes - there;
    if (!row_forward_ && look.end > look.run) client.out() += data.substr(look.run, look.end - look.run);
    look.end += there;
    if (!row_forward_) look.run = look.end;
}

void Relay::take_message(std::string_view data, std::size_t bytes, Look& look, backend::Connection& connection,
                         ClientStream& client) {
    const std::string_view whole = data.substr(look.end, bytes);
    const wire::Frame frame{whole[0], whole.substr(wire::kHeaderBytes), whole};
    connection.note(frame);
    const auto pass_run = [&] {
        if (look.end > look.run) client.out() += data.substr(look.run, look.end - look.run);
        look.run = look.end;
    };
    // Rewriting or swallowing breaks the run: what came before goes first.
    if (frame.type == 'E') pass_run();
    const bool swallow = judge(frame, client) == Verdict::kSwallow;
    if (swallow) pass_run();
    look.end += bytes;
    if (swallow) look.run = look.end;
    look.hold = connection.unreplicated_notice && on_unreplicated;
}

Relay::Look Relay::look(std::string_view data, backend::Connection& connection, ClientStream& client) {
    Look look;
    while (look.end < data.size() && !idle() && !look.hold) {
        if (row_left_ > 0) {
            take_row(data, row_left_, look, client);
            continue;
        }
        if (front().kind == Expect::Kind::kLocal) break;
        const std::string_view rest = data.substr(look.end);
        const std::size_t bytes = wire::frame_bytes(rest);
        if (bytes == 0) break;
        if (may_pass_in_pieces(rest[0])) {
            take_row(data, bytes, look, client);
        } else if (rest.size() < bytes) {
            look.want = bytes - rest.size();
            break;
        } else {
            take_message(data, bytes, look, connection, client);
        }
    }
    return look;
}

Task<> Relay::forward(std::string_view bytes, ClientStream& client) {
    sent_ = true;
    // The end of an answer is sent by whoever ends the message, together with what else there is.
    const bool small = bytes.size() < ClientStream::kFlushBytes;
    const bool waits = hold_back || (idle() && !client.out().empty());
    if (waits && small) client.out() += bytes;
    else if (!client.send_now(bytes)) co_await client.send(bytes);
}

Task<> Relay::drain(backend::Connection& connection, ClientStream& client) {
    if (!connection.write_now()) co_await connection.write();
    backend::Buffer& input = connection.stream().input();
    while (true) {
        if (row_left_ == 0) pass_local(client);
        if (idle()) break;
        const std::string_view data = input.unread();
        const Look look = this->look(data, connection, client);
        if (look.end > look.run) co_await forward(data.substr(look.run, look.end - look.run), client);
        input.consume(look.end);
        if (look.hold) {
            connection.unreplicated_notice = false;
            co_await on_unreplicated();
            continue;
        }
        if (client.out().size() >= ClientStream::kFlushBytes) {
            sent_ = true;
            co_await client.flush();
        }
        if (idle()) break;
        if (row_left_ == 0 && front().kind == Expect::Kind::kLocal) continue;
        co_await connection.fill(look.want);
    }
    if (!client.out().empty()) sent_ = true;
}

}  // namespace pgmosaic::coordinator

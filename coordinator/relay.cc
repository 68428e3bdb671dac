#include "coordinator/relay.h"

#include "wire/reader.h"

namespace pgmosaic::coordinator {

namespace {

/// Rows may pass in pieces: nobody looks into them.
bool may_pass_in_pieces(char type) { return type == 'D' || type == 'd'; }

}  // namespace

void Relay::finish_front() { queue_.pop_front(); }

void Relay::pass_local(ClientStream& client) {
    while (!queue_.empty() && queue_.front().kind == Expect::Kind::kLocal) {
        client.out() += queue_.front().bytes;
        queue_.pop_front();
    }
}

Relay::Verdict Relay::on_error(const wire::Frame& frame, ClientStream& client) {
    failed_ = true;
    error_ = wire::read_error(frame.body);
    const bool forward = queue_.front().forward || queue_.front().kind != Expect::Kind::kQuery;
    if (queue_.front().kind != Expect::Kind::kQuery) {
        while (!queue_.empty() && queue_.front().kind != Expect::Kind::kSync) queue_.pop_front();
    }
    if (!forward) {
        prelude_failed_ = true;
        return Verdict::kSwallow;
    }
    if (error_context.empty()) return Verdict::kForward;
    wire::write_error_with_context(client.out(), 'E', frame.body, error_context);
    return Verdict::kSwallow;
}

Relay::Verdict Relay::judge(const wire::Frame& frame, ClientStream& client) {
    Expect& front = queue_.front();
    const Verdict verdict = front.forward ? Verdict::kForward : Verdict::kSwallow;
    switch (frame.type) {
        case 'E':
            return on_error(frame, client);
        case 'Z': {
            const bool forward = front.forward_ready;
            if (front.kind == Expect::Kind::kQuery || front.kind == Expect::Kind::kSync) finish_front();
            return forward ? Verdict::kForward : Verdict::kSwallow;
        }
        case '1':
            if (front.kind == Expect::Kind::kParse) finish_front();
            return verdict;
        case '2':
            if (front.kind == Expect::Kind::kBind) finish_front();
            return verdict;
        case '3':
            if (front.kind == Expect::Kind::kClose) finish_front();
            return verdict;
        case 'n':
        case 'T':
            if (front.kind == Expect::Kind::kDescribe) finish_front();
            return verdict;
        case 'C':
            if (keep_tags) tag_ = wire::Reader(frame.body).cstring();
            if (front.swallow_complete) {
                if (front.kind == Expect::Kind::kExecute) finish_front();
                return Verdict::kSwallow;
            }
            [[fallthrough]];
        case 'I':
        case 's':
            if (front.kind == Expect::Kind::kExecute) finish_front();
            return verdict;
        case 'A':
            return Verdict::kForward;
        default:
            return verdict;
    }
}

Task<> Relay::drain(backend::Connection& connection, ClientStream& client) {
    if (!connection.out().empty()) co_await connection.write();
    backend::Buffer& input = connection.stream().input();
    std::size_t piece_left = 0;  // of a row that passes in pieces
    bool piece_forward = false;
    while (true) {
        if (piece_left == 0) pass_local(client);
        if (queue_.empty()) break;
        const std::string_view data = input.unread();
        std::size_t position = 0;
        std::size_t run = 0;  // [run, position) is to be forwarded and has not been
        std::size_t want = 0;
        bool hold = false;
        while (position < data.size() && !queue_.empty()) {
            if (piece_left > 0) {
                const std::size_t part = std::min(piece_left, data.size() - position);
                if (!piece_forward) run = position + part;
                position += part;
                piece_left -= part;
                continue;
            }
            if (queue_.front().kind == Expect::Kind::kLocal) break;
            const std::string_view rest = data.substr(position);
            const std::size_t bytes = wire::frame_bytes(rest);
            if (bytes == 0) break;
            if (rest.size() < bytes && may_pass_in_pieces(rest[0])) {
                piece_left = bytes;
                piece_forward = queue_.front().forward;
                continue;
            }
            if (rest.size() < bytes) {
                want = bytes - rest.size();
                break;
            }
            if (rest[0] == 'D' || rest[0] == 'd') {  // by far the commonest, and nothing to note
                if (!queue_.front().forward) {
                    if (position > run) client.out() += data.substr(run, position - run);
                    run = position + bytes;
                }
                position += bytes;
                continue;
            }
            const wire::Frame frame{rest[0], rest.substr(wire::kHeaderBytes, bytes - wire::kHeaderBytes), rest.substr(0, bytes)};
            connection.note(frame);
            // Swallowing or rewriting breaks the run: what came before goes first.
            if (frame.type == 'E' && position > run) {
                client.out() += data.substr(run, position - run);
                run = position;
            }
            if (judge(frame, client) == Verdict::kSwallow) {
                if (position > run) client.out() += data.substr(run, position - run);
                run = position + bytes;
            }
            position += bytes;
            if (connection.unreplicated_notice && on_unreplicated) {
                hold = true;
                break;
            }
        }
        if (position > run) {
            sent_ = true;
            // The last piece of an answer is kept until all of it is there only if it is small anyway.
            if (queue_.empty() && position - run < ClientStream::kFlushBytes && !client.out().empty()) {
                client.out() += data.substr(run, position - run);
            } else {
                co_await client.send(data.substr(run, position - run));
            }
        }
        input.consume(position);
        if (hold) {
            connection.unreplicated_notice = false;
            co_await on_unreplicated();
            continue;
        }
        if (client.out().size() >= ClientStream::kFlushBytes) {
            sent_ = true;
            co_await client.flush();
        }
        if (queue_.empty()) break;
        if (queue_.front().kind == Expect::Kind::kLocal) continue;
        if (input.empty() || want > 0 || wire::frame_bytes(input.unread()) == 0 ||
            input.unread().size() < wire::frame_bytes(input.unread())) {
            co_await connection.fill(want);
        }
    }
    if (!client.out().empty()) sent_ = true;
}

}  // namespace pgmosaic::coordinator

#include "replication/internal/node_probe.h"

#include "replication/internal/own_trouble.h"

namespace pgmosaic::replication {

namespace {

constexpr auto kAttemptMax = 1s;
constexpr auto kHurriedInterval = 10ms;
// How often a process on this machine is looked after between two probes: a few reads in /proc.
constexpr auto kProcessInterval = 25ms;

bool mentions(const Error& error, std::string_view words) { return error.message.find(words) != std::string::npos; }

bool is_our_own(const Error& error) {
    return error.code == sqlstate::kIoError || error.code == sqlstate::kOutOfMemory || error.code == sqlstate::kInternalError ||
           mentions(error, "Too many open files");
}

Health health_of(const Error& error, bool timed_out) {
    if (error.code == sqlstate::kCannotConnectNow) return mentions(error, "shutting down") ? Health::kStopping : Health::kStarting;
    if (timed_out) return Health::kSilent;
    // libpq's words for ECONNREFUSED on TCP, and for a Unix socket that is not there.
    if (mentions(error, "refused") || mentions(error, "No such file")) return Health::kRefusing;
    return Health::kSilent;
}

}  // namespace

NodeProbe::NodeProbe(asio::any_io_executor executor, const shardmap::Node& node, backend::ServerAddress address,
                     node::NodeControl* nodes, Clock::duration interval, std::function<void()> on_look)
    : node_(node.id),
      interval_(interval),
      nodes_(nodes != nullptr && nodes->is_local(node.id) ? nodes : nullptr),
      on_look_(std::move(on_look)),
      pause_(std::move(executor)),
      session_(std::move(address)) {
    look_.answered = look_.led = Clock::now();
}

Task<> NodeProbe::run() {
    while (true) {
        co_await attempt();
        on_look_();
        co_await pause();
    }
}

Task<> NodeProbe::attempt() {
    look_.asked = Clock::now();
    if (process_is_gone()) {
        session_.close();
        look_.health = Health::kGone;
        look_.error = "its process is gone";
    } else {
        co_await ask_twice();
    }
    look_.completed = look_.asked;
}

Task<> NodeProbe::ask_twice() {
    const Deadline deadline = Deadline::after(kAttemptMax);
    try {
        const bool was_open = session_.is_open();
        auto facts = co_await ask(deadline);
        // A session that was ended by the server says little: what a new one meets says why.
        if (!facts && was_open && !session_.is_open() && !deadline.passed()) facts = co_await ask(deadline);
        if (facts) {
            look_.take(std::move(*facts), Clock::now());
        } else {
            failed(facts.error(), deadline.passed());
        }
    } catch (...) {
        const Error error = error_of_current_exception();
        session_.close();
        failed(error, true);
    }
}

Task<Result<Facts>> NodeProbe::ask(Deadline deadline) {
    if (!session_.is_open()) identified_ = false;
    auto answer = co_await session_.query(kProbeSql, deadline);
    if (!answer) co_return answer.error();
    auto facts = read_facts(*answer);
    if (!facts) co_return Error{.message = "the probe's answer is not of its shape"};
    if (!identified_) {
        const auto identified = co_await identify(deadline);
        if (!identified) co_return identified.error();
        identified_ = true;
    }
    co_return std::move(*facts);
}

Task<Result<void>> NodeProbe::identify(Deadline deadline) {
    auto answer = co_await session_.query(
        "SELECT system_identifier, to_regclass('pg_mosaic.epoch') IS NOT NULL FROM pg_control_system()", deadline);
    if (!answer) co_return answer.error();
    if (answer->rows.size() != 1 || answer->rows[0].size() != 2) co_return Error{.message = "a server has no identifier"};
    look_.system_identifier = answer->scalar();
    if (answer->rows[0][1] != "t") co_return Result<void>();
    auto epoch = co_await session_.query("SELECT coalesce(max(epoch), 0) FROM pg_mosaic.epoch", deadline);
    if (!epoch) co_return epoch.error();
    look_.epoch = std::strtoull(epoch->scalar().c_str(), nullptr, 10);
    co_return Result<void>();
}

bool NodeProbe::process_is_gone() const { return nodes_ != nullptr && nodes_->process(node_) == node::Process::kDead; }

void NodeProbe::failed(const Error& error, bool timed_out) {
    look_.error = error.message;
    // A server that reports an error is there: it was promoted between two functions of the probe, say.
    if (session_.is_open()) return;
    if (is_our_own(error)) {  // then nothing is known of the server, and its silence does not count
        look_.answered = look_.led = Clock::now();
        return;
    }
    look_.health = health_of(error, timed_out);
}

void NodeProbe::set_hurry(bool hurry) {
    if (hurry && !hurry_) pause_.notify();
    hurry_ = hurry;
}

void NodeProbe::forgive(Clock::duration slept) {
    look_.answered += slept;
    look_.led += slept;
}

Task<> NodeProbe::pause() {
    if (hurry_) {
        co_await pause_.wait(kHurriedInterval);
        co_return;
    }
    // Ends with the pause, also with a cancelled one.
    struct Listening {
        explicit Listening(NodeProbe& probe) : session(probe.session_) {
            session.listen([&probe] { probe.look_now(); });
        }
        ~Listening() { session.stop_listening(); }
        ServerSession& session;
    };
    const Listening listening(*this);
    const auto end = Clock::now() + interval_;
    const bool was_gone = look_.health == Health::kGone;
    while (Clock::now() < end && !hurry_) {
        const auto before = Clock::now();
        co_await pause_.wait(std::min<Clock::duration>(kProcessInterval, end - before));
        if (Clock::now() - before < std::min<Clock::duration>(kProcessInterval, end - before)) co_return;  // woken
        // A postmaster that has just gone is worth a look at once, whatever its children still do.
        if (nodes_ != nullptr && !was_gone && !nodes_->pid(node_)) co_return;
    }
}

}  // namespace pgmosaic::replication

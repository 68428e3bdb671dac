#include "replication/node/local_nodes.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <utility>

#include "base/log.h"
#include "replication/node/sql.h"

namespace pgmosaic::node {

namespace {

// Every node may be started at once after a power failure, and none of them keeps a core busy for long.
constexpr std::size_t kThreads = 4;

using Work = std::function<Result<void>()>;

/// Runs `work` on a thread of `threads` and comes back to the caller's executor.
Task<Result<void>> run_aside(asio::thread_pool& threads, Work work) {
    auto initiate = [&threads](auto handler, Work inner) {
        auto home = asio::prefer(asio::get_associated_executor(handler), asio::execution::outstanding_work.tracked);
        asio::post(threads, [handler = std::move(handler), inner = std::move(inner), home]() mutable {
            Result<void> outcome = inner();
            asio::post(home, [handler = std::move(handler), outcome = std::move(outcome)]() mutable {
                std::move(handler)(std::move(outcome));
            });
        });
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<void>)>(
        initiate, asio::use_awaitable, std::move(work));
}

Error not_ours(NodeId node) {
    return Error{.code = sqlstate::kFeatureNotSupported,
                 .message = "node " + std::to_string(node.value) + " is not on this machine",
                 .hint = "Start or stop it on its own host."};
}

Error busy(const std::string& name) {
    return Error{.code = sqlstate::kCannotConnectNow,
                 .message = "server \"" + name + "\" is still busy with something else"};
}

}  // namespace

LocalNodes::LocalNodes(const std::map<NodeId, ServerSpec>& servers, const Binaries& binaries, Children& children)
    : threads_(kThreads) {
    for (const auto& [node, spec] : servers) {
        auto entry = std::make_unique<Entry>();
        entry->server = std::make_unique<Server>(spec, binaries, children);
        nodes_.emplace(node, std::move(entry));
    }
}

LocalNodes::~LocalNodes() { threads_.join(); }

LocalNodes::Entry* LocalNodes::find(NodeId node) const {
    const auto found = nodes_.find(node);
    return found == nodes_.end() ? nullptr : found->second.get();
}

bool LocalNodes::is_local(NodeId node) const { return find(node) != nullptr; }

Process LocalNodes::process(NodeId node) const {
    const Entry* entry = find(node);
    return entry == nullptr ? Process::kUnknown : entry->server->process();
}

std::optional<pid_t> LocalNodes::pid(NodeId node) const {
    const Entry* entry = find(node);
    return entry == nullptr ? std::nullopt : entry->server->pid();
}

std::vector<KnownServer> LocalNodes::known() const {
    std::vector<KnownServer> all;
    for (const auto& [node, entry] : nodes_) {
        const ServerSpec& spec = entry->server->spec();
        all.push_back({node, spec.name, spec.host, spec.port, spec.data_directory()});
    }
    return all;
}

Task<Result<void>> LocalNodes::start(NodeId node, Deadline deadline) {
    Entry* entry = find(node);
    if (entry == nullptr) co_return not_ours(node);
    Work work = [entry, deadline]() -> Result<void> {
        const std::unique_lock turn(entry->turn, deadline.at);
        return turn ? entry->server->start(deadline) : busy(entry->server->spec().name);
    };
    co_return co_await run_aside(threads_, std::move(work));
}

Task<Result<void>> LocalNodes::stop(NodeId node, StopMode mode, Deadline deadline) {
    Entry* entry = find(node);
    if (entry == nullptr) co_return not_ours(node);
    Work work = [entry, mode, deadline]() -> Result<void> {
        const std::unique_lock turn(entry->turn, deadline.at);
        return turn ? entry->server->stop(mode, deadline) : busy(entry->server->spec().name);
    };
    co_return co_await run_aside(threads_, std::move(work));
}

Task<Result<void>> LocalNodes::rebuild_as_standby(NodeId broken, NodeId primary, Deadline deadline) {
    Entry* entry = find(broken);
    const Entry* source = find(primary);
    if (entry == nullptr || source == nullptr) co_return not_ours(entry == nullptr ? broken : primary);
    PGM_CHECK(entry != source, "a server is not its own standby");
    Work work = [this, entry, source, deadline]() -> Result<void> {
        const std::unique_lock turn(entry->turn, deadline.at);
        if (!turn) return busy(entry->server->spec().name);
        return rebuild(*entry->server, source->server->spec(), deadline);
    };
    co_return co_await run_aside(threads_, std::move(work));
}

/// Rewind first: it moves what differs. A rewound server that does not come to stream (WAL it needs is gone) is cloned.
Result<void> LocalNodes::rebuild(Server& broken, const ServerSpec& primary, Deadline deadline) {
    const std::string& name = broken.spec().name;
    if (Result<void> stopped = broken.stop(StopMode::kImmediate, deadline); !stopped) return stopped;
    if (broken.has_data()) {
        Result<void> done = checkpoint(primary, deadline);
        if (done) done = ensure_slot(primary, name, deadline);
        if (!done) return done;  // the primary does not answer: a clone would not help either
        const Deadline share{Clock::now() + deadline.left() / 3};
        done = broken.rewind(primary, share);
        if (done) done = broken.start(share);
        if (done) done = wait_streaming(primary, name, share);
        if (done) return done;
        spdlog::warn("node rewind_failed {} {}", log_field("node", name), log_field("reason", done.error().message));
        if (Result<void> stopped = broken.stop(StopMode::kImmediate, deadline); !stopped) return stopped;
    }
    Result<void> done = broken.clone(primary, Flush::kNow, deadline);
    if (done) done = broken.start(deadline);
    if (done) done = wait_streaming(primary, name, deadline);
    return done;
}

}  // namespace pgmosaic::node

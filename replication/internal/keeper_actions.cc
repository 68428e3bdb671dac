// What a keeper does for each Action: orders to servers by SQL, and changes of the record.

#include <boost/asio/co_spawn.hpp>

#include "base/log.h"
#include "replication/internal/record_steps.h"
#include "replication/internal/server_orders.h"
#include "replication/internal/shard_keeper.h"
#include "shardmap/store/map_store.h"

namespace pgmosaic::replication {

using shardmap::FailoverStep;
using shardmap::Node;
using shardmap::Shard;

namespace {

// A server that answers does these in milliseconds; one that does not is somebody else's case by the next look.
constexpr auto kOrderMax = 2s;
constexpr auto kBarrierMax = 1s;
constexpr auto kProofMax = 3s;
constexpr auto kResolveMax = 5s;
constexpr auto kFastStopMax = 30s;
constexpr auto kLookMax = 1200ms;
constexpr int kLooksForReload = 10;

Deadline soon(Clock::duration length = kOrderMax) { return Deadline::after(length); }

}  // namespace

Task<Result<void>> ShardKeeper::perform(Action action) {
    switch (action) {
        case Action::kWait:
        case Action::kDown:
        case Action::kRefuse: co_return Result<void>();
        case Action::kRestartPrimary: begin_mending(shard_.primary, false); co_return Result<void>();
        case Action::kStartStandby: begin_mending(standby_node()->id, false); co_return Result<void>();
        case Action::kRebuildStandby: begin_mending(standby_node()->id, true); co_return Result<void>();
        case Action::kVerifyPrimary: co_return co_await verify_primary();
        case Action::kFence: co_return co_await fence();
        case Action::kStopOldPrimary: co_return co_await stop_old_primary();
        case Action::kResumeReplay: co_return co_await resume(standby_node()->id);
        case Action::kStopReceiver: co_return co_await stop_the_receiver();
        case Action::kRecordDrained: log_.mark("drain"); co_return save(with_step(shard_, FailoverStep::kDrained), "drained");
        case Action::kClearOwnNames: co_return co_await give_names(shard_.primary, std::string());
        case Action::kRecordPromoting: co_return save(with_step(shard_, FailoverStep::kPromoting), "promoting");
        case Action::kPromote: co_return co_await ask_for_promotion();
        case Action::kRecordPromoted: co_return co_await record_promoted();
        case Action::kResolve: co_return co_await resolve();
        case Action::kPublish: co_return co_await publish();
        case Action::kRecordNamed: co_return record_named();
        case Action::kSetNames: co_return co_await give_names(shard_.primary, names_for(standby_node()->name));
        case Action::kProve: co_return co_await prove();
        case Action::kRecordAlone: co_return record_alone();
        case Action::kClearNames: co_return co_await give_names(shard_.primary, std::string());
    }
    co_return Result<void>();
}

Task<Result<void>> ShardKeeper::fence() {
    const NodeLook& old = look(shard_.primary);
    const std::string cause = by_hand_ == ByHand::kNo ? std::string("primary ") + std::string(to_string(old.health)) : "by hand";
    log_.begin(shard_, cause, by_hand_ == ByHand::kNo ? old.led : Clock::now());
    spdlog::warn("failover begin {} {} {}", log_field("shard", shard_.name), log_field("from", shard_.primary_node().name),
                 log_field("cause", cause));
    promote_at_.reset();
    old_primary_stopped_ = false;
    const auto saved = save(fenced(shard_), "failover: " + cause);
    if (!saved) co_return saved;
    log_.mark("fence");
    // A switchover's old primary finishes what it has begun and ends its sessions itself: the map, which cuts them, waits for
    // that. New statements wait from here on, since the record does not serve (tell_availability).
    if (by_hand_ == ByHand::kSwitchover) co_return Result<void>();
    co_return publish_map();
}

Task<Result<void>> ShardKeeper::stop_old_primary() {
    const Node* old = fenced_node(shard_);
    old_primary_stopped_ = true;  // whatever comes of it: the failover goes on as after a crash
    if (old == nullptr || context_.partners.nodes == nullptr) co_return publish_map();
    auto stopped = co_await context_.partners.nodes->stop(old->id, node::StopMode::kFast, soon(kFastStopMax));
    log_.mark("stop_old_primary");
    const auto told = publish_map();
    co_return stopped ? told : stopped;
}

Task<Result<void>> ShardKeeper::resume(NodeId standby) {
    auto done = co_await resume_replay(server(standby).hands, soon());
    co_await see(standby);
    co_return done;
}

Task<Result<void>> ShardKeeper::stop_the_receiver() {
    auto done = co_await stop_receiver(server(shard_.primary).hands, soon());
    // A reload reaches each of the server's processes in its own time; the probe's is one of them.
    for (int looks = 0; done && looks < kLooksForReload && !look(shard_.primary).facts.sourceless; ++looks) {
        co_await see(shard_.primary);
    }
    log_.mark("stop_receiver");
    co_return done;
}

Task<Result<void>> ShardKeeper::ask_for_promotion() {
    promote_at_ = Clock::now();
    auto done = co_await promote(server(shard_.primary).hands, soon());
    if (!done) promote_at_.reset();
    co_return done;
}

Task<Result<void>> ShardKeeper::verify_primary() {
    Server& primary = server(shard_.primary);
    const std::string incarnation = primary.probe.look().facts.incarnation;  // before the commit: it may restart meanwhile
    const auto known = co_await write_epoch(primary.hands, shard_.epoch, shard_.primary_node().name, soon(kBarrierMax));
    if (!known) co_return known.error();
    newest_epoch_ = std::max(newest_epoch_, known->value);
    if (newer_epoch_seen()) co_return old_store_error();
    primary.verified_incarnation = incarnation;
    co_return Result<void>();
}

Task<Result<void>> ShardKeeper::record_promoted() {
    log_.mark("promote");
    // The first write of the new primary, and its barrier.
    auto verified = co_await verify_primary();
    if (!verified) co_return verified;
    auto saved = save(with_step(shard_, FailoverStep::kPromoted), "promoted");
    log_.mark("first_commit");
    co_return saved;
}

Task<Result<void>> ShardKeeper::resolve() {
    if (context_.partners.resolver != nullptr) {
        // A coroutine of its own: what it does to its cancellation (TaskGroup::join) is not ours.
        auto task = context_.partners.resolver->resolve(shard_.id, shard_.primary_node(), soon(kResolveMax));
        auto done = co_await asio::co_spawn(context_.executor, std::move(task), asio::use_awaitable);
        if (!done) co_return done;
    }
    log_.mark("resolve");
    co_return save(with_step(shard_, FailoverStep::kResolved), "resolved");
}

Task<Result<void>> ShardKeeper::publish() {
    auto saved = save(published(shard_), "failover done");
    if (saved) saved = publish_map();
    if (!saved) co_return saved;
    tell_availability();
    log_.mark("publish");
    const std::string event = log_.finish(shard_);
    spdlog::warn("failover done {} {} {}", log_field("shard", shard_.name), log_field("primary", shard_.primary_node().name),
                 log_field("event", event));
    append_event("failover", event);
    by_hand_ = ByHand::kNo;
    ++failovers_done_;
    co_await forget_quick_retry(server(shard_.primary).hands, soon());
    co_return Result<void>();
}

Task<Result<void>> ShardKeeper::give_names(NodeId node, std::string names) {
    auto done = co_await set_names(server(node).hands, names, soon());
    for (int looks = 0; done && looks < kLooksForReload && look(node).facts.names != names; ++looks) co_await see(node);
    co_return done;
}

Task<Result<void>> ShardKeeper::prove() {
    const Node standby = *standby_node();
    // An order to clear the names may have been given up and be on its way still, or have come half-way (written, not yet
    // loaded): this session ends whoever carries it, and the names are said again. Only then does the proof hold.
    auto said = co_await set_names(server(shard_.primary).hands, names_for(standby.name), soon());
    if (!said) co_return said;
    backend::ServerAddress address = context_.options.address_of(shard_.primary_node());
    address.options += " -c synchronous_commit=remote_apply";
    auto proof = co_await prove_waiting(tasks_, std::move(address), server(shard_.primary).hands, server(standby.id).hands,
                                        standby.name, soon(kProofMax));
    if (!proof) co_return proof;
    auto saved = save(proved(shard_), "commits are proved to wait for " + standby.name);
    if (saved) saved = publish_map();
    if (saved) append_event("standby_promotable", node_event(shard_, standby, "commits are proved to wait for it"));
    co_return saved;
}

Result<void> ShardKeeper::record_alone() {
    const Node* standby = standby_node();
    const bool impersonated = standby != nullptr && look(shard_.primary).has_impostor(standby->name);
    const std::string why = standby == nullptr ? "no standby"
                            : impersonated     ? "somebody else streams under the name " + standby->name
                                               : standby->name + " is " + std::string(to_string(look(standby->id).health));
    if (standby != nullptr) append_event("standby_lost", node_event(shard_, *standby, why));
    spdlog::warn("failover standby_lost {} {}", log_field("shard", shard_.name), log_field("why", why));
    auto saved = save(alone(shard_), "standby lost: " + why);
    return saved ? publish_map() : saved;
}

Result<void> ShardKeeper::record_named() {
    auto saved = save(named(shard_, standby_node()->id), "commits are to wait for " + standby_node()->name);
    return saved ? publish_map() : saved;
}

Result<void> ShardKeeper::save(Shard changed, std::string_view reason) {
    auto revision = store::save_shard(*context_.partners.store, changed, reason);
    if (revision) {
        changed.revision = *revision;
        shard_ = std::move(changed);
        return {};
    }
    if (store::is_conflict(revision.error())) {
        if (auto present = store::load_shard(*context_.partners.store, shard_.id)) shard_ = std::move(*present);
    }
    return revision.error();
}

Result<void> ShardKeeper::publish_map() {
    auto map = store::load_map(*context_.partners.store);
    if (!map) return map.error();
    context_.partners.publisher->publish(std::move(*map));
    return {};
}

void ShardKeeper::append_event(std::string_view kind, const std::string& body) {
    const auto appended = context_.partners.store->append_event(kind, body);
    if (!appended) spdlog::error("failover event_lost {}", log_field("message", appended.error().message));
}

Task<> ShardKeeper::see(NodeId node) {
    const auto begin = Clock::now();
    const Deadline deadline = soon(kLookMax);
    server(node).probe.look_now();
    while (look(node).completed < begin && !deadline.passed()) co_await looked_.wait(50ms);
}

}  // namespace pgmosaic::replication

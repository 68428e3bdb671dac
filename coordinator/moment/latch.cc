#include "coordinator/moment/latch.h"

#include <algorithm>
#include <utility>

namespace pgmosaic::coordinator::moment {

Ticket Latch::open(std::vector<ShardId> shards, Time now) {
    const Ticket ticket = next();
    openers_.push_back({.ticket = ticket, .shards = std::move(shards)});
    advance(now);
    return ticket;
}

Ticket Latch::commit(std::string gid, std::vector<ShardId> unresolved, Time now) {
    const Ticket ticket = next();
    committers_.push_back({.ticket = ticket, .gid = std::move(gid), .unresolved = {unresolved.begin(), unresolved.end()}});
    advance(now);
    return ticket;
}

Ticket Latch::pass(Time now) {
    const Ticket ticket = next();
    passers_.push_back(ticket);
    advance(now);
    return ticket;
}

bool Latch::leave(Ticket ticket, Time now) {
    const auto holder = holders_.find(ticket);
    const bool held = holder != holders_.end();
    if (held) {
        to_doubt(holder->second);
        holders_.erase(holder);
    } else if (!forget_waiting(ticket)) {
        return false;
    }
    advance(now);
    return held;
}

bool Latch::forget_waiting(Ticket ticket) {
    const std::size_t before = waiting();
    std::erase_if(openers_, [ticket](const Opener& opener) { return opener.ticket == ticket; });
    std::erase_if(committers_, [ticket](const Committer& committer) { return committer.ticket == ticket; });
    std::erase(passers_, ticket);
    return waiting() != before;
}

void Latch::resolve(const std::string& gid, ShardId shard, Time now) {
    for (auto& [ticket, holder] : holders_) {
        if (holder.gid == gid) holder.unresolved.erase(shard);
    }
    for (Committer& committer : committers_) {
        if (committer.gid == gid) committer.unresolved.erase(shard);
    }
    const auto doubts = doubts_by_shard_.find(shard);
    if (doubts == doubts_by_shard_.end() || doubts->second.erase(gid) == 0) return;
    if (doubts->second.empty()) doubts_by_shard_.erase(doubts);
    advance(now);
}

void Latch::doubt(const std::string& gid, ShardId shard) { doubts_by_shard_[shard].insert(gid); }

std::set<std::string> Latch::doubts(ShardId shard) const {
    const auto found = doubts_by_shard_.find(shard);
    return found == doubts_by_shard_.end() ? std::set<std::string>{} : found->second;
}

void Latch::to_doubt(const Holder& holder) {
    for (ShardId shard : holder.unresolved) doubt(holder.gid, shard);
}

void Latch::tick(Time now) {
    for (auto holder = holders_.begin(); holder != holders_.end();) {
        if (holder->second.until > now) {
            ++holder;
            continue;
        }
        to_doubt(holder->second);
        holder = holders_.erase(holder);
    }
    advance(now);
}

std::vector<Ticket> Latch::take_granted() { return std::exchange(granted_, {}); }

std::optional<Latch::Time> Latch::due() const {
    if (holders_.empty()) return std::nullopt;
    const bool wanted = side_ == Side::kOpeners ? !committers_.empty() || !passers_.empty() : openers_wait();
    if (!wanted) return std::nullopt;
    Time first = Time::max();
    for (const auto& [ticket, holder] : holders_) first = std::min(first, holder.until);
    return first;
}

bool Latch::may_open(const Opener& opener) const {
    return std::none_of(opener.shards.begin(), opener.shards.end(), [this](ShardId shard) { return in_doubt(shard); });
}

/// Those that wait for a doubt to be resolved do not hold committers up: what resolves it is a commit.
bool Latch::openers_wait() const {
    return std::any_of(openers_.begin(), openers_.end(), [this](const Opener& opener) { return may_open(opener); });
}

void Latch::advance(Time now) {
    if (holders_.empty()) {
        if (side_ != Side::kNobody) last_side_ = side_;
        side_ = Side::kNobody;
    }
    // What waits at the door waits for one window at most: it goes before the next one opens.
    if (side_ != Side::kOpeners) admit_passers();
    if (side_ == Side::kNobody) {
        const bool openers_next = openers_wait() && (last_side_ == Side::kCommitters || committers_.empty());
        if (openers_next) admit_openers(now);
        else if (!committers_.empty()) admit_committers(now);
    } else if (side_ == Side::kOpeners) {
        if (committers_.empty() && passers_.empty()) admit_openers(now);
    } else if (!openers_wait()) {
        admit_committers(now);
    }
}

void Latch::admit_openers(Time now) {
    std::deque<Opener> blocked;
    for (Opener& opener : openers_) {
        if (may_open(opener)) {
            side_ = Side::kOpeners;
            grant(opener.ticket, {.until = now + bounds_.window});
        } else {
            blocked.push_back(std::move(opener));
        }
    }
    openers_ = std::move(blocked);
}

void Latch::admit_committers(Time now) {
    for (Committer& committer : committers_) {
        side_ = Side::kCommitters;
        grant(committer.ticket,
              {.until = now + bounds_.phase_two, .gid = std::move(committer.gid), .unresolved = std::move(committer.unresolved)});
    }
    committers_.clear();
}

void Latch::admit_passers() {
    granted_.insert(granted_.end(), passers_.begin(), passers_.end());
    passers_.clear();
}

void Latch::grant(Ticket ticket, Holder holder) {
    holders_.emplace(ticket, std::move(holder));
    granted_.push_back(ticket);
}

}  // namespace pgmosaic::coordinator::moment

#include <algorithm>

#include "base/fault_point.h"
#include "base/log.h"
#include "base/task_group.h"
#include "coordinator/commit_token.h"
#include "coordinator/decision.h"
#include "coordinator/recovery.h"
#include "coordinator/session.h"

/// The end of a transaction: docs/transaction_path.md, PROTOCOLS section 1.
namespace pgmosaic::coordinator {

namespace {

Error rolled_back(const Error& cause) {
    Error error = cause;
    // Notifications, temporary tables and exported snapshots cannot be prepared, and only one participant need not be.
    if (error.code == sqlstate::kFeatureNotSupported && error.hint.empty()) {
        error.detail = "The transaction has written on several shards, and only one shard's part of it may have done that.";
        error.hint = "Keep what notifies (triggers that do, too), and temporary tables, to one shard per transaction.";
    }
    // Its decision has been written before: a *no* of somebody who took this coordinator for dead.
    if (error.code == sqlstate::kUniqueViolation && error.message.find("decisions_pkey") != std::string::npos) {
        error = Error{.code = sqlstate::kSerializationFailure,
                      .message = "the transaction is rolled back: it took so long that it was given up",
                      .hint = "Run the transaction again."};
    }
    if (error.code == sqlstate::kConnectionFailure) {
        error.code = sqlstate::kSerializationFailure;
        error.detail = error.message + ".";
        error.message = "the transaction is rolled back: the server of a shard was lost";
        error.hint = "Run the transaction again.";
    }
    return error;
}

Error outcome_unknown() {
    return Error{.code = sqlstate::kTransactionResolutionUnknown,
                 .message = "the outcome of COMMIT is not known",
                 .detail = "The connection to the shard was lost after COMMIT was sent.",
                 .hint = "Look for the effect of the transaction before you run it again."};
}

Error not_acknowledged() {
    Error error = outcome_unknown();
    error.detail = "It is committed on the primary, but the standby has not acknowledged it.";
    return error;
}

/// The decision stands, so this is no failure; but COMMIT would say that every shard shows it.
Error not_everywhere_yet() {
    Error error = outcome_unknown();
    error.message = "the transaction is committed, but not on all its shards yet";
    error.detail = "A shard could not be asked to finish it within the waiting time; it will be finished there as soon as it can be.";
    error.hint = "Do not run the transaction again; mosaic.transactions shows what is in doubt.";
    return error;
}

/// PREPARE TRANSACTION on one participant; what came of it is left in `failure`, what its triggers said in `notices`.
Task<> prepare_on(Participant& participant, std::string gid, std::optional<Error>& failure, std::string& notices) {
    // Always: a part that is on one server only, when the others are committed, would be half a transaction.
    auto result = co_await backend::run_query(participant.connection(), kCommitEverywhere + ("PREPARE TRANSACTION '" + gid + "'"),
                                              Deadline::after(60s));
    if (!result) {
        failure = result.error();
    } else if (result->tag != "PREPARE TRANSACTION") {
        failure = Error{.code = sqlstate::kInFailedSqlTransaction, .message = "a shard rolled the transaction back"};
    } else if (result->unreplicated) {
        failure = Error{.code = sqlstate::kSerializationFailure,
                        .message = "the transaction is rolled back: a standby did not acknowledge its preparation"};
    }
    if (result) notices = std::move(result->notices);
    fault_point("commit:one_prepared");
}

/// The participant that is not prepared: what cannot be (temporary tables, notifications) lives on a pinned server session, or has
/// run triggers or functions.
Participant& choose_agent(const std::vector<Participant*>& writers) {
    const auto pinned = std::find_if(writers.begin(), writers.end(), [](const Participant* p) { return p->pinned != nullptr; });
    if (pinned != writers.end()) return **pinned;
    const auto notifies = std::find_if(writers.begin(), writers.end(), [](const Participant* p) { return p->notifies; });
    return notifies == writers.end() ? *writers.front() : **notifies;
}

/// What a reader has to say at COMMIT changes nothing any more.
Task<> end_reader(Participant& participant) {
    const auto result = co_await backend::run_query(participant.connection(), "COMMIT", Deadline::after(10s));
    if (!result) participant.connection().broken = true;
}

}  // namespace

/// What was committed is told as done or as unknown, never as a failure that asks for a repetition.
Task<> Session::barrier(ShardId shard) {
    bool acknowledged = true;
    try {
        co_await barrier_on(core_, shard, database_name_);
    } catch (const PgError&) {
        acknowledged = false;
    }
    if (!acknowledged) throw PgError(not_acknowledged());
}

Task<> Session::commit() {
    if (!transaction_.open()) co_return;
    if (transaction_.failed()) {
        co_await rollback();
        co_return;
    }
    const std::set<std::string> channels_before = channels_;
    std::vector<Participant*> writers;
    for (auto& [shard, participant] : transaction_.participants()) {
        if (participant.wrote && participant.began) writers.push_back(&participant);
    }
    std::optional<Error> failure;
    std::optional<std::set<std::string>> channels;
    try {
        if (!transaction_.channel_changes().empty()) channels = co_await channels_at_commit();
        co_await hold_gate(*this);
        if (writers.size() > 1) co_await commit_several(writers);
        else if (writers.size() == 1) co_await commit_one(*writers.front());
    } catch (const backend::ConnectionLost&) {
        failure = loss_error();  // nobody has been asked to commit yet
    } catch (const PgError& error) {
        failure = error.error();
    }
    committing_ = false;
    if (!failure && channels) keep_channels(*channels);
    if (failure) {
        keep_channels(channels_before);
        co_await rollback();
        throw PgError(*failure);
    }
    // Those that only read are ended last: until then nobody may have seen that the writers were through (PROTOCOLS 1.4).
    TaskGroup readers(co_await asio::this_coro::executor);
    for (auto& [shard, participant] : transaction_.participants()) {
        if (participant.wrote || !participant.began || participant.connection().broken) continue;
        readers.spawn(end_reader(participant));
    }
    co_await readers.join();
    co_await end_transaction(true);
}

Task<> Session::commit_one(Participant& writer) {
    if (writer.ready_to_skip > 0) {
        start_relay(writer);
        co_await relay_.drain(writer.connection(), client_);
    }
    co_await door();
    if (writer.connection().broken) throw PgError(loss_error());
    check_not_cancelled();
    committing_ = true;
    const CommitToken token = make_token(core_, writer);
    const Announcement announcement = announce(writer);
    const std::string everywhere = writer.connection().ran_user_code ? kCommitEverywhere : "";
    const auto result = co_await backend::run_query(writer.connection(), everywhere + token_sql(token) + "COMMIT", Deadline::never());
    if (!result) {
        if (!writer.connection().broken) throw PgError(result.error());
        const Outcome outcome = co_await find_outcome(core_, token, database_name_);
        if (outcome == Outcome::kUnknown) throw PgError(outcome_unknown());
        if (outcome == Outcome::kAbsent) throw PgError(loss_error());
        writer.began = false;
        co_return;
    }
    writer.began = false;
    if (result->tag != "COMMIT") {
        throw PgError(Error{.code = sqlstate::kInFailedSqlTransaction, .message = "the shard rolled the transaction back"});
    }
    client_.out() += result->notices;
    if (result->unreplicated) co_await barrier(writer.shard());
    co_await hear_announcement(announcement);
}

/// PREPARE on all but the last agent, whose COMMIT carries the decision; then COMMIT PREPARED on the others.
Task<> Session::commit_several(std::vector<Participant*> writers) {
    for (Participant* writer : writers) {
        if (writer->ready_to_skip == 0) continue;
        start_relay(*writer);
        co_await relay_.drain(writer->connection(), client_);
    }
    Participant& agent = choose_agent(writers);
    const std::string nonce = make_nonce();
    const std::string gid = core_.cluster().new_gid(agent.shard(), proof_of(nonce));
    struct Settle {  // once it is not ours any more, recovery may take it up
        Cluster& cluster;
        const std::string& gid;
        std::string& committing;
        ~Settle() {
            cluster.settled(gid);
            committing.clear();
        }
    } settle{core_.cluster(), gid, committing_gid_};
    committing_gid_ = gid;

    std::vector<Participant*> others;
    std::string names;
    for (Participant* writer : writers) {
        if (writer != &agent) others.push_back(writer);
        names += (names.empty() ? "" : ",") + shard_name(writer->shard());
    }
    fault_point("commit:before_prepare");
    std::vector<std::optional<Error>> failures(others.size());
    std::vector<std::string> notices(others.size());
    {
        TaskGroup group(co_await asio::this_coro::executor);
        for (std::size_t i = 0; i < others.size(); ++i) group.spawn(prepare_on(*others[i], gid, failures[i], notices[i]));
        co_await group.join();
    }
    std::vector<ShardId> shards;
    for (Participant* other : others) {
        shards.push_back(other->shard());
        other->began = false;
    }
    for (const std::string& said : notices) client_.out() += said;
    fault_point("commit:after_prepare");
    // From sending the decision on, the transaction becomes visible shard by shard (PROTOCOLS 2.3).
    moment::Hold phase_two;
    const bool prepared = std::all_of(failures.begin(), failures.end(), [](const auto& failure) { return !failure; });
    try {
        check_not_cancelled();
        if (prepared) phase_two = co_await database_->moment().commit(gid, shards, wait_deadline());
    } catch (const PgError& error) {
        failures.emplace_back(error.error());
    }
    for (const auto& failure : failures) {
        if (!failure) continue;
        // No yes was written and none will be: presumed abort.
        co_await finish_prepared(core_, shards, gid, database_name_, false);
        throw PgError(rolled_back(*failure));
    }

    committing_ = true;
    const Announcement announcement = announce(agent);
    const auto decided = co_await backend::run_query(agent.connection(), decide_yes_sql(gid, nonce, names), Deadline::never());
    fault_point("commit:after_decision");
    Verdict verdict = Verdict::kYes;
    if (!decided || decided->tag != "COMMIT") {
        if (decided) agent.began = false;
        // An error without a lost connection means that nothing was committed; otherwise the decision shard knows.
        verdict = Verdict::kNo;
        if (agent.connection().broken) verdict = co_await settle_decision(core_, gid, database_name_);
    } else {
        agent.began = false;
        client_.out() += decided->notices;
        if (decided->unreplicated) co_await barrier(agent.shard());
    }
    if (verdict == Verdict::kUnknown) throw PgError(outcome_unknown());
    const bool everywhere = co_await finish_prepared(core_, shards, gid, database_name_, verdict == Verdict::kYes);
    phase_two.leave();
    fault_point("commit:after_phase_two");
    if (verdict == Verdict::kNo) {
        throw PgError(!decided ? rolled_back(decided.error())
                               : Error{.code = sqlstate::kSerializationFailure, .message = "the transaction is rolled back"});
    }
    // Whoever finishes it later needs the decision (PROTOCOLS 1.6).
    if (!everywhere) throw PgError(not_everywhere_yet());
    co_await hear_announcement(announcement);
    forget_decision(core_, agent.shard(), gid, database_name_);
}

}  // namespace pgmosaic::coordinator

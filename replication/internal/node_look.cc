#include "replication/internal/node_look.h"

#include <algorithm>
#include <charconv>

namespace pgmosaic::replication {

const char* const kProbeSql = R"sql(
SELECT pg_is_in_recovery(),
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END,
       CASE WHEN pg_is_in_recovery()
            THEN coalesce((SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()))
            ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END,
       current_setting('synchronous_standby_names'),
       current_setting('primary_conninfo') = '' AND current_setting('restore_command') = '',
       EXISTS (SELECT FROM pg_stat_wal_receiver),
       CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() ELSE false END,
       EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event = 'RecoveryRetrieveRetryInterval'),
       (extract(epoch FROM current_setting('wal_retrieve_retry_interval')::interval) * 1000)::int,
       (SELECT pid || ' ' || backend_start FROM pg_stat_activity WHERE backend_type = 'checkpointer'),
       (SELECT string_agg(concat(state, E'\t', sync_state, E'\t', coalesce(flush_lsn, '0/0'), E'\t',
                                 coalesce((SELECT s.slot_name = r.application_name FROM pg_replication_slots s WHERE s.active_pid = r.pid),
                                          NOT EXISTS (SELECT FROM pg_replication_slots s WHERE s.slot_name = r.application_name)),
                                 E'\t', application_name), E'\n')
          FROM pg_stat_replication r)
)sql";

namespace {

constexpr std::size_t kProbeColumns = 11;

std::string_view cut(std::string_view& rest, char separator) {
    const std::size_t end = rest.find(separator);
    const std::string_view part = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    return part;
}

std::vector<Follower> read_followers(std::string_view lines) {
    std::vector<Follower> followers;
    while (!lines.empty()) {
        std::string_view line = cut(lines, '\n');
        Follower follower{.streaming = cut(line, '\t') == "streaming"};
        follower.synchronous = cut(line, '\t') == "sync";
        parse_lsn(std::string(cut(line, '\t')), follower.flushed);
        follower.ours = cut(line, '\t') == "t";
        follower.name = line;
        followers.push_back(std::move(follower));
    }
    return followers;
}

std::uint32_t number(const std::string& text) {
    std::uint32_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace

std::optional<Facts> read_facts(const backend::QueryResult& result) {
    if (result.rows.size() != 1 || result.rows[0].size() != kProbeColumns) return std::nullopt;
    const auto& row = result.rows[0];
    const auto text = [&](std::size_t column) { return row[column].value_or(std::string()); };
    const auto truth = [&](std::size_t column) { return row[column] == "t"; };
    Facts facts{.in_recovery = truth(0)};
    parse_lsn(text(1), facts.lsn);
    facts.timeline = number(text(2));
    facts.names = text(3);
    facts.sourceless = truth(4);
    facts.receiver = truth(5);
    facts.replay_paused = truth(6);
    facts.startup_waits = truth(7);
    facts.retry_interval = std::chrono::milliseconds(number(text(8)));
    facts.incarnation = text(9);
    facts.followers = read_followers(text(10));
    return facts;
}

void NodeLook::take(Facts fresh, Clock::time_point when) {
    const bool still = fresh.in_recovery && fresh.sourceless && !fresh.receiver && !fresh.replay_paused;
    if (!still || fresh.lsn != facts.lsn || fresh.incarnation != facts.incarnation) still_since.reset();
    if (still && fresh.startup_waits && !still_since) still_since = asked;
    if (!still_since) drained_for = {};
    if (still_since && fresh.startup_waits) drained_for = asked - *still_since;
    facts = std::move(fresh);
    health = Health::kAnswering;
    error.clear();
    seen = true;
    answered = when;
    if (!facts.in_recovery) led = when;
    ++answers;
}

bool NodeLook::drained() const {
    // The startup process has looked for WAL everywhere at least once in between; the rest is for a slow machine.
    constexpr auto kMargin = 10ms;
    return still_since && drained_for >= 2 * facts.retry_interval + kMargin;
}

const Follower* NodeLook::follower(std::string_view name) const {
    const auto same = [&](const Follower& each) { return each.name == name; };
    if (std::count_if(facts.followers.begin(), facts.followers.end(), same) != 1) return nullptr;
    const auto found = std::find_if(facts.followers.begin(), facts.followers.end(), same);
    return found->ours ? &*found : nullptr;
}

bool NodeLook::has_impostor(std::string_view name) const {
    return std::any_of(facts.followers.begin(), facts.followers.end(),
                       [&](const Follower& each) { return each.name == name && each.streaming && !each.ours; });
}

std::string names_for(std::string_view standby) { return "FIRST 1 (\"" + std::string(standby) + "\")"; }

}  // namespace pgmosaic::replication

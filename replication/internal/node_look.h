#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/service_connection.h"
#include "base/deadline.h"
#include "base/ids.h"
#include "replication/failover.h"

namespace pgmosaic::replication {

/// A walsender, as its primary sees it.
struct Follower {
    std::string name{};
    bool streaming = false;
    bool synchronous = false;
    bool ours = true;  ///< holds the slot of its name, or there is no such slot: then whoever made the standby did not use ours
    Lsn flushed{};
};

/// What one probe of a server said.
struct Facts {
    bool in_recovery = false;
    Lsn lsn{};                        ///< replayed, or flushed by a primary
    std::uint32_t timeline = 0;
    std::string names{};              ///< synchronous_standby_names
    bool sourceless = false;
    bool receiver = false;
    bool replay_paused = false;
    bool startup_waits = false;       ///< the startup process sleeps until it looks for WAL again
    Clock::duration retry_interval{}; ///< wal_retrieve_retry_interval
    std::string incarnation{};        ///< start of its checkpointer: another one after every (re)start, a lone crash's included
    std::vector<Follower> followers{};
};

/// All that is known of a server: the last facts, and when which answer came.
struct NodeLook {
    Health health = Health::kUnknown;
    std::string error{};
    bool seen = false;
    Clock::time_point asked{};        ///< begin of the last attempt
    Clock::time_point completed{};    ///< begin of the last attempt that has ended
    Clock::time_point answered{};     ///< last answer; before the first one: when we began to look
    Clock::time_point led{};          ///< last answer as a primary; likewise
    std::uint64_t answers = 0;        ///< how many there were
    Facts facts{};
    std::string system_identifier{};
    std::uint64_t epoch = 0;          ///< the newest epoch row it has; 0: none
    std::optional<Clock::time_point> still_since{};  ///< since then sourceless, no receiver, replay unchanged
    Clock::duration drained_for{};    ///< from the first to the last look at which its startup process waited, all unchanged

    /// Takes an answer in.
    void take(Facts fresh, Clock::time_point when);
    /// Two retry intervals without news: all that was received has been replayed (PROTOCOLS 3.1).
    bool drained() const;
    /// The only walsender of that name, with the slot we made, or null if there is none or more than one (PROTOCOLS 3.11).
    const Follower* follower(std::string_view name) const;
    /// Does somebody else stream under that name? PostgreSQL lets him acknowledge commits.
    bool has_impostor(std::string_view name) const;
};

extern const char* const kProbeSql;
/// Reads kProbeSql's row; nullopt if it is not of that shape.
std::optional<Facts> read_facts(const backend::QueryResult& result);

/// What synchronous_standby_names is set to for a standby of this name.
std::string names_for(std::string_view standby);

}  // namespace pgmosaic::replication

#pragma once

#include <string>
#include <string_view>

#include "backend/service_connection.h"
#include "base/ids.h"
#include "coordinator/core.h"

namespace pgmosaic::coordinator {

/// A name of a prepared transaction, taken apart: `pgm_<cluster>_<incarnation>_<decision shard>_<number>_<sha256 of the nonce>`.
struct Gid {
    std::string cluster;
    std::string incarnation;
    ShardId decision{};
    std::string number;
    std::string proof;  ///< hex sha256 of the nonce, first 32 digits
};
std::optional<Gid> parse_gid(std::string_view text);
std::string make_gid(const Gid& gid);

/// 32 random hex digits; only who knows them can say yes.
std::string make_nonce();
std::string proof_of(std::string_view nonce);

enum class Verdict : std::uint8_t { kUnknown, kYes, kNo };

/// The table of decisions and the function that writes a yes; repeatable, run on every shard in every database.
extern const char* const kDecisionSchema;

/// What the last agent runs: the plain INSERT of *yes*, and COMMIT, in one query string.
std::string decide_yes_sql(const std::string& gid, const std::string& nonce, const std::string& participants);

/// Reads the decision; with `or_no`, writes a *no* if there is none and reads again. A verdict counts only behind the barrier
/// that this waits for (PROTOCOLS 1.1, 1.5).
Task<Verdict> read_decision(Core& core, const Gid& gid, const std::string& gid_text, std::string database, bool or_no);

/// Waits until the shard's standby has all that its primary has committed so far.
Task<> barrier_on(Core& core, ShardId shard, std::string database);

}  // namespace pgmosaic::coordinator

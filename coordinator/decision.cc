#include "coordinator/decision.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include <boost/algorithm/string/classification.hpp>
#include <boost/algorithm/string/split.hpp>
#include <charconv>

#include "coordinator/session.h"
#include "planner/planner.h"

namespace pgmosaic::coordinator {

namespace {

constexpr std::size_t kProofDigits = 32;
constexpr SqlState kLockNotAvailable{"55P03"};
/// Recovery must not wait behind the row of a coordinator that is gone (PROTOCOLS 1.7).
constexpr const char* kNoWait = "SET lock_timeout = '1s';";

std::string hex(const unsigned char* bytes, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
        text += "0123456789abcdef"[bytes[i] >> 4];
        text += "0123456789abcdef"[bytes[i] & 15];
    }
    return text;
}

/// Writes a *no* where there is no verdict. Whoever holds the row without being through with it is not in flight here, so a
/// coordinator that is gone or sleeps has left it: its server session is ended, and the row is read again.
Task<> write_no(Core& core, const Gid& gid, const std::string& quoted, std::string database) {
    std::optional<Error> failure;
    try {
        co_await service_query(core, gid.decision, database,
                               std::string(kNoWait) + "SET synchronous_commit = on;INSERT INTO pg_mosaic.decisions (gid, verdict) VALUES (" +
                                   quoted + ", 'no') ON CONFLICT DO NOTHING");
    } catch (const PgError& error) {
        failure = error.error();
    }
    if (!failure) co_return;
    if (failure->code != kLockNotAvailable) throw PgError(*failure);
    co_await service_query(core, gid.decision, database,
                           "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid <> pg_catalog.pg_backend_pid() "
                           "AND state <> 'idle' AND pg_catalog.strpos(query, " + planner::quote_literal("decide_yes(" + quoted) + ") > 0");
    throw PgError(*failure);
}

}  // namespace

const char* const kDecisionSchema = R"sql(
CREATE TABLE IF NOT EXISTS pg_mosaic.decisions (
    gid text PRIMARY KEY, verdict text NOT NULL CHECK (verdict IN ('yes', 'no')),
    nonce text, participants text, made timestamptz NOT NULL DEFAULT now());
CREATE OR REPLACE FUNCTION pg_mosaic.decide_yes(gid text, nonce text, participants text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    BEGIN ATOMIC INSERT INTO pg_mosaic.decisions (gid, verdict, nonce, participants) VALUES ($1, 'yes', $2, $3); END;
GRANT USAGE ON SCHEMA pg_mosaic TO PUBLIC;
GRANT EXECUTE ON FUNCTION pg_mosaic.decide_yes(text, text, text) TO PUBLIC;
)sql";

std::optional<Gid> parse_gid(std::string_view text) {
    std::vector<std::string> parts;
    boost::split(parts, text, boost::is_any_of("_"));
    if (parts.size() != 6 || parts[0] != "pgm" || parts[5].size() != kProofDigits) return std::nullopt;
    Gid gid{.cluster = parts[1], .incarnation = parts[2], .number = parts[4], .proof = parts[5]};
    const auto [end, error] = std::from_chars(parts[3].data(), parts[3].data() + parts[3].size(), gid.decision.value);
    if (error != std::errc{} || end != parts[3].data() + parts[3].size()) return std::nullopt;
    return gid;
}

std::string make_gid(const Gid& gid) {
    return "pgm_" + gid.cluster + "_" + gid.incarnation + "_" + std::to_string(gid.decision.value) + "_" + gid.number + "_" +
           gid.proof;
}

std::string make_nonce() {
    unsigned char bytes[16];
    PGM_CHECK(RAND_bytes(bytes, sizeof bytes) == 1, "the random number generator is seeded");
    return hex(bytes, sizeof bytes);
}

std::string proof_of(std::string_view nonce) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(nonce.data()), nonce.size(), digest);
    return hex(digest, sizeof digest).substr(0, kProofDigits);
}

std::string decide_yes_sql(const std::string& gid, const std::string& nonce, const std::string& participants) {
    return "SET LOCAL synchronous_commit = on;SELECT pg_mosaic.decide_yes(" + planner::quote_literal(gid) + "," +
           planner::quote_literal(nonce) + "," + planner::quote_literal(participants) + ");COMMIT";
}

Task<> barrier_on(Core& core, ShardId shard, std::string database) {
    const auto result = co_await service_query(
        core, shard, std::move(database), "SET synchronous_commit = on;SELECT pg_catalog.pg_logical_emit_message(true, 'mosaic', '')");
    if (result.unreplicated) {
        throw PgError(Error{.code = sqlstate::kCannotConnectNow, .message = "the shard's standby did not acknowledge in time"});
    }
}

Task<Verdict> read_decision(Core& core, const Gid& gid, const std::string& text, std::string database, bool or_no) {
    const std::string quoted = planner::quote_literal(text);
    const std::string select = "SELECT verdict, nonce FROM pg_mosaic.decisions WHERE gid = " + quoted;
    auto found = co_await service_query(core, gid.decision, database, select);
    if (found.rows.empty() && or_no) {
        co_await write_no(core, gid, quoted, database);
        found = co_await service_query(core, gid.decision, database, select);
    }
    if (found.rows.empty()) co_return Verdict::kUnknown;
    co_await barrier_on(core, gid.decision, std::move(database));
    const auto& row = found.rows.front();
    if (row[0] == "no") co_return Verdict::kNo;
    // Anybody can read a gid; only the coordinator that made it knows the nonce.
    co_return row[1] && proof_of(*row[1]) == gid.proof ? Verdict::kYes : Verdict::kNo;
}

}  // namespace pgmosaic::coordinator

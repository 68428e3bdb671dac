#include "coordinator/internal/role_password.h"

#include <algorithm>

#include "backend/password.h"
#include "coordinator/session.h"

namespace pgmosaic::coordinator {

Task<std::string> with_hashed_password(Session& session, const planner::PlanDetails& details, std::string sql) {
    if (details.password.empty()) co_return sql;
    const backend::QueryResult kind = co_await session.query_shard(session.home(), "SHOW password_encryption", false);
    if (kind.scalar() != "scram-sha-256") co_return sql;
    const bool ascii = std::all_of(details.password.begin(), details.password.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
    if (!ascii && !session.utf8()) {
        throw PgError(refusal("a password with letters outside ASCII must be given in UTF-8", {}, "SET client_encoding TO 'UTF8'."));
    }
    const Result<std::string> verifier = backend::scram_verifier_of(details.password);
    if (!verifier) throw PgError(verifier.error());
    sql.replace(details.password_begin, details.password_end - details.password_begin, planner::quote_literal(*verifier));
    co_return sql;
}

}  // namespace pgmosaic::coordinator

#include "coordinator/internal/syntax_error.h"

namespace pgmosaic::coordinator {

Task<> throw_syntax_error(Session& session, std::string_view sql, Error error) {
    const bool ours = error.code == sqlstate::kFeatureNotSupported;
    Transaction& transaction = session.transaction();
    const bool reachable = !transaction.failed() || transaction.find(session.home()) != nullptr;
    const std::vector<Oid> none;
    if (!ours && reachable) co_await session.describe(sql, none);
    throw PgError(std::move(error));
}

}  // namespace pgmosaic::coordinator

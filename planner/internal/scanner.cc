#include "planner/internal/scanner.h"

#include <pg_query.h>
#include <pg_query.pb.h>

namespace pgmosaic::planner {

namespace {

struct ScanOwner {
    PgQueryScanResult result;
    explicit ScanOwner(const char* sql) : result(pg_query_scan(sql)) {}
    ScanOwner(const ScanOwner&) = delete;
    ScanOwner& operator=(const ScanOwner&) = delete;
    ~ScanOwner() { pg_query_free_scan_result(result); }
};

}  // namespace

std::vector<std::pair<int, int>> scan_with_postgres(const std::string& sql) {
    std::vector<std::pair<int, int>> tokens;
    const ScanOwner owner(sql.c_str());
    pg_query::ScanResult scanned;
    if (owner.result.error || !scanned.ParseFromArray(owner.result.pbuf.data, static_cast<int>(owner.result.pbuf.len))) return tokens;
    for (const pg_query::ScanToken& token : scanned.tokens()) {
        if (token.token() != pg_query::SQL_COMMENT && token.token() != pg_query::C_COMMENT) tokens.emplace_back(token.start(), token.end());
    }
    return tokens;
}

}  // namespace pgmosaic::planner

// Any text has a plan, a syntax error or a refusal; and the plan of a text is the same when it comes from the cache.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "planner/planner.h"

namespace {

using namespace pgmosaic;
using namespace pgmosaic::planner;

constexpr const char* kDocument = R"({"tables": [
  {"oid": 16400, "schema": "public", "name": "t", "kind": "r", "columns": [
     [1, "id", 23, -1, 0, "integer", true, false, null, null], [2, "v", 25, -1, 100, "text", false, false, null, null],
     [3, "n", 1700, -1, 0, "numeric", false, false, null, null]], "unique": [[1]], "placement": "s", "group": 1, "key": 1, "view": null},
  {"oid": 16410, "schema": "public", "name": "u", "kind": "r", "columns": [
     [1, "id", 23, -1, 0, "integer", true, false, null, null], [2, "w", 25, -1, 100, "text", false, false, null, "'x'::text"]],
   "unique": [[1]], "placement": "s", "group": 1, "key": 1, "view": null},
  {"oid": 16420, "schema": "public", "name": "r", "kind": "r", "columns": [
     [1, "id", 23, -1, 0, "integer", true, false, null, null], [2, "name", 25, -1, 100, "text", false, false, null, null]],
   "unique": [[1]], "placement": "r", "view": null},
  {"oid": 16430, "schema": "public", "name": "l", "kind": "r", "columns": [
     [1, "id", 23, -1, 0, "integer", true, false, null, null]], "unique": [[1]], "placement": null, "view": null}],
  "functions": []})";

Environment surroundings() {
    Environment environment;
    auto catalog = Catalog::from_json(kDocument, 1);
    if (catalog.has_error()) std::abort();
    environment.catalog = *catalog;
    environment.fingerprint = 1;
    return environment;
}

bool alike(const Planned& one, const Planned& other) {
    if (one.text->statements.size() != other.text->statements.size()) return false;
    if (one.text->syntax_error.has_value() != other.text->syntax_error.has_value()) return false;
    for (std::size_t i = 0; i < one.text->statements.size(); ++i) {
        const Statement& a = one.text->statements[i];
        const Statement& b = other.text->statements[i];
        if (a.plan != b.plan || a.command != b.command || a.writes != b.writes || a.reason != b.reason) return false;
    }
    return one.literals.size() == other.literals.size();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Environment environment = surroundings();
    static Planner cached(64);
    // PostgreSQL's texts end at the first zero, and the session has cut them there.
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view sql = text.substr(0, text.find('\0'));
    Planned first;
    Planned second;
    cached.plan(sql, environment, first);
    cached.plan(sql, environment, second);
    if (!first.text || !alike(first, second)) std::abort();
    Planner fresh(4);
    fresh.plan(sql, environment, second);
    if (!alike(first, second)) std::abort();
    return 0;
}

#include "coordinator/admin/sizes.h"

#include <boost/json.hpp>

namespace pgmosaic::coordinator {

namespace {

namespace json = boost::json;

constexpr const char* kMeasures[] = {"total", "table", "indexes", "main", "fsm", "vm", "init", "reltuples", "relpages"};

std::string sizes_here() {
    return std::string(kShardedTree) + R"sql(, relations(oid) AS (SELECT oid FROM tree UNION SELECT i.indexrelid FROM pg_catalog.pg_index i JOIN tree t ON i.indrelid = t.oid)
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.pg_total_relation_size(c.oid), pg_catalog.pg_table_size(c.oid),
       pg_catalog.pg_indexes_size(c.oid), pg_catalog.pg_relation_size(c.oid, 'main'), pg_catalog.pg_relation_size(c.oid, 'fsm'),
       pg_catalog.pg_relation_size(c.oid, 'vm'), pg_catalog.pg_relation_size(c.oid, 'init'), c.reltuples::pg_catalog.float8, c.relpages
  FROM relations r JOIN pg_catalog.pg_class c ON c.oid = r.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace)sql";
}

constexpr const char* kDatabasesHere = "SELECT datname, pg_catalog.pg_database_size(oid) FROM pg_catalog.pg_database WHERE datallowconn";

/// Never analysed (-1) on one shard says nothing of the others' rows.
void add(json::object& sums, const char* measure, const std::optional<std::string>& text) {
    if (!text) return;
    const double more = std::stod(*text);
    const json::value* before = sums.if_contains(measure);
    const double known = before ? before->to_number<double>() : -1;
    sums[measure] = more < 0 ? known : std::max(known, 0.0) + more;
}

}  // namespace

const char* const kShardedTree = R"sql(WITH RECURSIVE tree(oid) AS (
    SELECT relid FROM pg_mosaic.tables WHERE placement = 's'
    UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON i.inhparent = t.oid
))sql";

const char* const kSizeSchema = R"sql(
CREATE OR REPLACE FUNCTION pg_mosaic.elsewhere(relation oid, measure text, others jsonb) RETURNS float8
    LANGUAGE sql STABLE SET search_path = pg_catalog AS $elsewhere$
SELECT (others -> format('%I.%I', n.nspname, c.relname) ->> measure)::float8
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation
$elsewhere$;
CREATE OR REPLACE FUNCTION pg_mosaic.pg_total_relation_size(regclass, jsonb) RETURNS bigint LANGUAGE sql STABLE AS
    'SELECT pg_catalog.pg_total_relation_size($1) + COALESCE(pg_mosaic.elsewhere($1, ''total'', $2), 0)::int8';
CREATE OR REPLACE FUNCTION pg_mosaic.pg_table_size(regclass, jsonb) RETURNS bigint LANGUAGE sql STABLE AS
    'SELECT pg_catalog.pg_table_size($1) + COALESCE(pg_mosaic.elsewhere($1, ''table'', $2), 0)::int8';
CREATE OR REPLACE FUNCTION pg_mosaic.pg_indexes_size(regclass, jsonb) RETURNS bigint LANGUAGE sql STABLE AS
    'SELECT pg_catalog.pg_indexes_size($1) + COALESCE(pg_mosaic.elsewhere($1, ''indexes'', $2), 0)::int8';
CREATE OR REPLACE FUNCTION pg_mosaic.pg_relation_size(regclass, jsonb) RETURNS bigint LANGUAGE sql STABLE AS
    'SELECT pg_catalog.pg_relation_size($1) + COALESCE(pg_mosaic.elsewhere($1, ''main'', $2), 0)::int8';
CREATE OR REPLACE FUNCTION pg_mosaic.pg_relation_size(regclass, text, jsonb) RETURNS bigint LANGUAGE sql STABLE AS
    'SELECT pg_catalog.pg_relation_size($1, $2) + COALESCE(pg_mosaic.elsewhere($1, $2, $3), 0)::int8';
CREATE OR REPLACE FUNCTION pg_mosaic.pg_database_size(name, jsonb) RETURNS bigint LANGUAGE sql STABLE AS
    'SELECT pg_catalog.pg_database_size($1) + COALESCE(($2 -> ''/'' ->> $1::text)::float8, 0)::int8';
CREATE OR REPLACE FUNCTION pg_mosaic.pg_database_size(oid, jsonb) RETURNS bigint LANGUAGE sql STABLE AS
    'SELECT pg_catalog.pg_database_size($1) + COALESCE(($2 -> ''/'' ->> (SELECT datname::text FROM pg_catalog.pg_database WHERE oid = $1))::float8, 0)::int8';
CREATE OR REPLACE FUNCTION pg_mosaic.reltuples(relation oid, here real, others jsonb) RETURNS real LANGUAGE sql STABLE AS
    'SELECT CASE WHEN m IS NULL THEN $2 WHEN $2 < 0 THEN m::real ELSE ($2 + GREATEST(m, 0))::real END FROM pg_mosaic.elsewhere($1, ''reltuples'', $3) m';
CREATE OR REPLACE FUNCTION pg_mosaic.relpages(relation oid, here integer, others jsonb) RETURNS integer LANGUAGE sql STABLE AS
    'SELECT ($2 + COALESCE(pg_mosaic.elsewhere($1, ''relpages'', $3), 0))::int4';
)sql";

Task<std::string> sizes_elsewhere(Session& session) {
    json::object all;
    json::object databases;
    for (ShardId shard : session.core().cluster().map()->shard_ids()) {
        if (shard == session.home()) continue;
        const auto relations = co_await service_query(session.core(), shard, session.database(), sizes_here());
        for (const auto& row : relations.rows) {
            json::value& sums = all[row[0].value_or("")];
            if (sums.is_null()) sums.emplace_object();
            for (std::size_t i = 0; i < std::size(kMeasures); ++i) add(sums.as_object(), kMeasures[i], row[i + 1]);
        }
        const auto found = co_await service_query(session.core(), shard, session.database(), kDatabasesHere);
        for (const auto& row : found.rows) add(databases, row[0].value_or("").c_str(), row[1]);
    }
    all["/"] = std::move(databases);
    co_return json::serialize(all);
}

}  // namespace pgmosaic::coordinator

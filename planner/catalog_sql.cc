#include "planner/catalog.h"

namespace pgmosaic::planner {

const char* const kCatalogQuery = "SELECT pg_mosaic.catalog()";

// The catalog query is a function because its SET clause makes defaults and view definitions come with qualified names, whatever
// the caller's search_path is. Only what a plan can depend on: user schemas and the session's own temporary one. `hidden`: a name
// that pg_catalog has, too, is found there first. Arrays instead of objects for columns, because a schema of 1,000
// tables is read after each DDL (5 ms for a handful of tables, tried).
const char* const kRegistrySchema = R"sql(
SET LOCAL allow_system_table_mods = on;
SET LOCAL client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS pg_mosaic;
CREATE TABLE IF NOT EXISTS pg_mosaic.tables (
    relid oid PRIMARY KEY,
    placement "char" NOT NULL CHECK (placement IN ('s', 'r')),
    key_column int2 CHECK ((placement = 's') = (key_column IS NOT NULL)),
    group_id int4 CHECK ((placement = 's') = (group_id IS NOT NULL)));
CREATE TABLE IF NOT EXISTS pg_mosaic.functions (
    funcid oid PRIMARY KEY,
    way "char" NOT NULL CHECK (way IN ('k', 'a', 'n')),
    argument int2 CHECK ((way = 'k') = (argument IS NOT NULL)),
    key_type oid CHECK ((way = 'k') = (key_type IS NOT NULL)),
    group_id int4 CHECK ((way = 'n') = (group_id IS NULL)));
GRANT USAGE ON SCHEMA pg_mosaic TO PUBLIC;
GRANT SELECT ON pg_mosaic.tables, pg_mosaic.functions TO PUBLIC;
CREATE OR REPLACE FUNCTION pg_mosaic.input_names(function oid) RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog AS $input_names$
SELECT CASE WHEN f.proargmodes IS NULL THEN f.proargnames
            ELSE (SELECT pg_catalog.array_agg(a ORDER BY n) FROM pg_catalog.unnest(f.proargnames) WITH ORDINALITY AS u(a, n)
                   WHERE f.proargmodes[n] IN ('i', 'b', 'v')) END
  FROM pg_catalog.pg_proc f WHERE f.oid = function
$input_names$;
CREATE OR REPLACE FUNCTION pg_mosaic.result_column(name text, type oid) RETURNS json
    LANGUAGE sql STABLE SET search_path = pg_catalog AS $result_column$
SELECT pg_catalog.json_build_array(1, name, type::int8, -1, t.typcollation::int8, pg_catalog.format_type(type, -1), false, false, '',
                                   NULL, false, NULL)
  FROM pg_catalog.pg_type t WHERE t.oid = type AND t.typtype <> 'p'
$result_column$;
CREATE OR REPLACE FUNCTION pg_mosaic.result_columns(function oid) RETURNS json
    LANGUAGE sql STABLE SET search_path = pg_catalog AS $result_columns$
SELECT CASE WHEN f.proargmodes && '{o,b,t}'::"char"[] THEN (
                SELECT pg_catalog.json_agg(pg_mosaic.result_column(COALESCE(NULLIF(f.proargnames[n], ''), 'column' || n), a) ORDER BY n)
                  FROM pg_catalog.unnest(f.proallargtypes) WITH ORDINALITY AS u(a, n) WHERE f.proargmodes[n] IN ('o', 'b', 't'))
            WHEN t.typrelid <> 0 THEN (
                SELECT pg_catalog.json_agg(pg_mosaic.result_column(attname, atttypid) ORDER BY attnum)
                  FROM pg_catalog.pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped)
            WHEN t.typtype <> 'p' THEN pg_catalog.json_build_array(pg_mosaic.result_column(f.proname, t.oid)) END
  FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_type t ON t.oid = f.prorettype WHERE f.oid = function
$result_columns$;
CREATE OR REPLACE FUNCTION pg_mosaic.catalog() RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog SET jit = off AS $catalog$
WITH namespaces AS MATERIALIZED (
    SELECT oid, CASE WHEN oid = pg_catalog.pg_my_temp_schema() THEN 'pg_temp' ELSE nspname END AS name,
           oid = pg_catalog.pg_my_temp_schema() AS temporary
      FROM pg_catalog.pg_namespace
     WHERE nspname NOT IN ('information_schema', 'mosaic') AND (nspname !~ '^pg_' OR oid = pg_catalog.pg_my_temp_schema())
), relations AS MATERIALIZED (
    SELECT c.oid, c.relname, c.relkind, c.relhastriggers, c.relrowsecurity, c.relhasindex, c.relispartition, n.name AS schema,
           n.temporary, pg_catalog.quote_ident(n.name) || '.' || pg_catalog.quote_ident(c.relname) AS qualified
      FROM pg_catalog.pg_class c JOIN namespaces n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
), columns AS (
    SELECT a.attrelid, pg_catalog.json_agg(pg_catalog.json_build_array(
               a.attnum, a.attname, a.atttypid::int8, a.atttypmod, a.attcollation::int8,
               pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated <> '', a.attidentity,
               CASE WHEN a.attidentity <> ''
                    THEN pg_catalog.format('nextval(%L::regclass)', pg_catalog.pg_get_serial_sequence(r.qualified, a.attname))
                    ELSE pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
               a.attcollation <> 0 AND NOT l.collisdeterministic,
               CASE WHEN a.attcollation NOT IN (0, 100) THEN pg_catalog.format('%s.%I', l.collnamespace::regnamespace, l.collname) END
               ) ORDER BY a.attnum) AS list
      FROM relations r JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid
      LEFT JOIN pg_catalog.pg_attrdef d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum
      LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
     WHERE a.attnum > 0 AND NOT a.attisdropped
     GROUP BY a.attrelid
), uniques AS (
    SELECT i.indrelid, pg_catalog.json_agg(pg_catalog.string_to_array(i.indkey::text, ' ')::int4[]
                                           ORDER BY i.indisprimary DESC, i.indexrelid) AS list
      FROM relations r JOIN pg_catalog.pg_index i ON r.relhasindex AND i.indrelid = r.oid
     WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
     GROUP BY i.indrelid
), parents AS (
    SELECT inhrelid, pg_catalog.json_agg(inhparent::int8) AS list FROM pg_catalog.pg_inherits GROUP BY inhrelid
), tables AS (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
               'oid', r.oid::int8, 'schema', r.schema, 'name', r.relname, 'kind', r.relkind, 'temporary', r.temporary,
               'placement', m.placement, 'group', m.group_id, 'key', m.key_column,
               'columns', c.list, 'unique', u.list, 'parents', p.list,
               'inherited', p.list IS NOT NULL OR r.relkind = 'p'
                            OR EXISTS (SELECT FROM pg_catalog.pg_inherits WHERE inhparent = r.oid),
               'triggers', r.relhastriggers AND EXISTS (SELECT FROM pg_catalog.pg_trigger t
                    WHERE t.tgrelid = r.oid AND NOT t.tgisinternal AND t.tgtype & 1 = 1),
               'row_security', r.relrowsecurity,
               'hidden', EXISTS (SELECT FROM pg_catalog.pg_class s WHERE s.relname = r.relname AND s.relnamespace = 11),
               'view', CASE WHEN r.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(r.oid) END)) AS list
      FROM relations r
      LEFT JOIN columns c ON c.attrelid = r.oid
      LEFT JOIN uniques u ON u.indrelid = r.oid
      LEFT JOIN parents p ON p.inhrelid = r.oid
      LEFT JOIN pg_mosaic.tables m ON m.relid = r.oid
), functions AS (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_array(n.name, f.proname, f.prokind, f.provolatile, l.lanname,
               CASE WHEN f.prosqlbody IS NOT NULL THEN pg_catalog.pg_get_function_sqlbody(f.oid)
                    WHEN l.lanname IN ('sql', 'plpgsql') THEN f.prosrc END,
               f.pronargs,
               CASE WHEN m.funcid IS NOT NULL
                    THEN pg_catalog.json_build_array(m.way, m.argument, (pg_mosaic.input_names(f.oid))[m.argument], m.key_type::int8, m.group_id,
                                                     pg_mosaic.result_columns(f.oid)) END)) AS list
      FROM pg_catalog.pg_proc f JOIN namespaces n ON n.oid = f.pronamespace JOIN pg_catalog.pg_language l ON l.oid = f.prolang
      LEFT JOIN pg_mosaic.functions m ON m.funcid = f.oid
)
SELECT pg_catalog.json_build_object(
           'tables', (SELECT list FROM tables), 'functions', (SELECT list FROM functions),
           'user_operators', EXISTS (SELECT FROM pg_catalog.pg_operator WHERE oprnamespace <> 11),
           'default_collation_is_c', (SELECT datlocprovider = 'c' AND datcollate IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8')
                                        FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))::text
$catalog$;
)sql";

}  // namespace pgmosaic::planner

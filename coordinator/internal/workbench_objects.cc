#include "coordinator/internal/workbench_objects.h"

namespace pgmosaic::coordinator {

const char* const kWorkbenchObjects = R"sql(
CREATE OR REPLACE FUNCTION pg_mosaic.workbench_objects() RETURNS pg_catalog.text[] LANGUAGE sql STABLE SET search_path = pg_catalog AS $objects$
WITH schemas AS MATERIALIZED (
    SELECT oid, quote_ident(nspname) AS name FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'mosaic')
), of_extensions AS MATERIALIZED (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), own_types AS MATERIALIZED (
    SELECT t.*, s.name || '.' || quote_ident(t.typname) AS name
      FROM pg_type t JOIN schemas s ON s.oid = t.typnamespace
     WHERE (1247, t.oid) NOT IN (SELECT classid, objid FROM of_extensions)
), statements(section, sort, sql) AS (
    SELECT 1, oid, 'CREATE SCHEMA ' || name || ';GRANT USAGE ON SCHEMA ' || name || ' TO PUBLIC' FROM schemas
    UNION ALL
    SELECT 2, e.oid, format('CREATE EXTENSION %I SCHEMA %s VERSION %L', e.extname, s.name, e.extversion)
      FROM pg_extension e JOIN schemas s ON s.oid = e.extnamespace
    UNION ALL
    SELECT 3, l.oid, format('CREATE COLLATION %s.%I (provider = %s, deterministic = %s, ', s.name, l.collname,
                            CASE l.collprovider WHEN 'i' THEN 'icu' ELSE 'libc' END, l.collisdeterministic)
                     || CASE l.collprovider WHEN 'i' THEN format('locale = %L)', l.colliculocale)
                                            ELSE format('lc_collate = %L, lc_ctype = %L)', l.collcollate, l.collctype) END
      FROM pg_collation l JOIN schemas s ON s.oid = l.collnamespace
     WHERE (3456, l.oid) NOT IN (SELECT classid, objid FROM of_extensions)
    UNION ALL
    SELECT 4, t.oid, format('CREATE TYPE %s AS ENUM (%s)', t.name,
                            (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid))
      FROM own_types t WHERE t.typtype = 'e'
    UNION ALL
    SELECT 4, t.oid, format('CREATE DOMAIN %s AS %s%s%s%s', t.name, format_type(t.typbasetype, t.typtypmod),
                            (SELECT format(' COLLATE %s.%I', l.collnamespace::regnamespace, l.collname) FROM pg_collation l
                              WHERE l.oid = t.typcollation AND l.oid <> 100),
                            CASE WHEN t.typnotnull THEN ' NOT NULL' END,
                            (SELECT string_agg(' CONSTRAINT ' || quote_ident(conname) || ' ' || pg_get_constraintdef(oid), '' ORDER BY oid)
                               FROM pg_constraint WHERE contypid = t.oid))
      FROM own_types t WHERE t.typtype = 'd'
    UNION ALL
    SELECT 4, t.oid, format('CREATE TYPE %s AS (%s)', t.name,
                            (SELECT string_agg(format('%I %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum)
                               FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped))
      FROM own_types t JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c' WHERE t.typtype = 'c'
    UNION ALL
    SELECT 4, t.oid, format('CREATE TYPE %s AS RANGE (SUBTYPE = %s)', t.name, format_type(r.rngsubtype, NULL))
      FROM own_types t JOIN pg_range r ON r.rngtypid = t.oid WHERE r.rngcanonical = 0 AND r.rngsubdiff = 0
    UNION ALL
    -- Never those that run as their owner, here the superuser, or that not everybody may call.
    SELECT 5, p.oid, pg_get_functiondef(p.oid)
      FROM pg_proc p JOIN schemas s ON s.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
     WHERE p.prokind = 'f' AND l.lanname IN ('sql', 'plpgsql') AND NOT p.prosecdef AND p.proacl IS NULL
       AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
       AND (1255, p.oid) NOT IN (SELECT classid, objid FROM of_extensions)
    UNION ALL
    SELECT 6, p.oid, format('CREATE AGGREGATE %s.%I (%s) (SFUNC = %s, STYPE = %s%s%s%s)', s.name, p.proname,
                            pg_get_function_identity_arguments(p.oid), a.aggtransfn, format_type(a.aggtranstype, NULL),
                            CASE WHEN a.aggfinalfn <> 0 THEN format(', FINALFUNC = %s', a.aggfinalfn) END,
                            CASE WHEN a.aggfinalextra THEN ', FINALFUNC_EXTRA' END,
                            CASE WHEN a.agginitval IS NOT NULL THEN format(', INITCOND = %L', a.agginitval) END)
      FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid JOIN schemas s ON s.oid = p.pronamespace
     WHERE a.aggkind = 'n' AND p.proacl IS NULL AND (1255, p.oid) NOT IN (SELECT classid, objid FROM of_extensions)
    UNION ALL
    SELECT 7, o.oid, format('CREATE OPERATOR %s.%s (FUNCTION = %s%s, RIGHTARG = %s)', s.name, o.oprname, o.oprcode,
                            CASE WHEN o.oprleft <> 0 THEN ', LEFTARG = ' || format_type(o.oprleft, NULL) END, format_type(o.oprright, NULL))
      FROM pg_operator o JOIN schemas s ON s.oid = o.oprnamespace
     WHERE (2617, o.oid) NOT IN (SELECT classid, objid FROM of_extensions)
    UNION ALL
    SELECT 8, c.oid, format('CREATE CAST (%s AS %s) %s%s', format_type(c.castsource, NULL), format_type(c.casttarget, NULL),
                            CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || c.castfunc::regprocedure WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END,
                            CASE c.castcontext WHEN 'i' THEN ' AS IMPLICIT' WHEN 'a' THEN ' AS ASSIGNMENT' END)
      FROM pg_cast c WHERE c.oid >= 16384 AND (2605, c.oid) NOT IN (SELECT classid, objid FROM of_extensions)
)
SELECT coalesce(array_agg(sql ORDER BY section, sort), '{}') FROM statements
$objects$
)sql";

const char* const kWorkbenchRebuild = R"sql(
BEGIN;
SET LOCAL allow_system_table_mods = on;
SET LOCAL client_min_messages = error;
SELECT pg_catalog.pg_advisory_xact_lock(7002);
CREATE SCHEMA IF NOT EXISTS pg_mosaic;
CREATE TABLE IF NOT EXISTS pg_mosaic.objects (fingerprint pg_catalog.text);
CREATE OR REPLACE FUNCTION pg_mosaic.rebuild(statements pg_catalog.text[], wanted pg_catalog.text) RETURNS pg_catalog.void
LANGUAGE plpgsql SET search_path = pg_catalog SET check_function_bodies = off SET client_min_messages = error AS $rebuild$
DECLARE
    schema_name text;
    statement text;
    failed text[];
BEGIN
    PERFORM pg_advisory_xact_lock(7002);
    IF EXISTS (SELECT FROM pg_mosaic.objects WHERE fingerprint = wanted) THEN RETURN; END IF;
    FOR schema_name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', schema_name);
    END LOOP;
    LOOP
        failed := '{}';
        FOREACH statement IN ARRAY statements LOOP
            BEGIN
                EXECUTE statement;
            EXCEPTION WHEN OTHERS THEN failed := failed || statement;
            END;
        END LOOP;
        EXIT WHEN cardinality(failed) IN (0, cardinality(statements));
        statements := failed;
    END LOOP;
    DELETE FROM pg_mosaic.objects;
    INSERT INTO pg_mosaic.objects VALUES (wanted);
END
$rebuild$;
COMMIT
)sql";

}  // namespace pgmosaic::coordinator

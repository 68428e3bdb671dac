#include "coordinator/admin/admin.h"

namespace pgmosaic::coordinator {

// set_placement() checks itself that the caller owns the table, because anybody may call it; the caller is who SET ROLE says, since
// inside of a SECURITY DEFINER function current_user is the definer. It also forgets tables that were dropped, whose
// OIDs PostgreSQL may give away again.
//
// set_function() is the same for functions.
//
// table_facts() says all that coordinator/admin/table_checks.h judges, of the table and its partitions. Relations that exist but
// are empty have pg_relation_size 0, which asks for no privilege. `created_here`: the row of the system column ctid is written
// once, when the table is made, so its xmin tells whether this very transaction did that.
const char* const kAdminSchema = R"sql(
CREATE OR REPLACE FUNCTION pg_mosaic.set_placement(relation regclass, new_placement "char", key_name name, group_number int4)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $set_placement$
DECLARE
    caller name := CASE current_setting('role') WHEN 'none' THEN session_user::text ELSE current_setting('role') END;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation AND pg_has_role(caller, c.relowner, 'USAGE')) THEN
        RAISE insufficient_privilege USING MESSAGE = format('must be owner of table %s', relation);
    END IF;
    DELETE FROM pg_mosaic.tables t
     WHERE t.relid = relation OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.relid);
    IF new_placement = 'l' THEN RETURN; END IF;
    INSERT INTO pg_mosaic.tables (relid, placement, key_column, group_id)
    VALUES (relation, new_placement,
            (SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = key_name AND NOT a.attisdropped),
            group_number);
END
$set_placement$;
GRANT EXECUTE ON FUNCTION pg_mosaic.set_placement(regclass, "char", name, int4) TO PUBLIC;

CREATE OR REPLACE FUNCTION pg_mosaic.function_facts(function regprocedure, argument text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog AS $function_facts$
WITH chosen AS (
    SELECT n, (f.proargtypes::oid[])[n - 1] AS type
      FROM pg_proc f, generate_series(1, f.pronargs) AS n
     WHERE f.oid = function AND (argument = '$' || n OR argument = (pg_mosaic.input_names(f.oid))[n])
)
SELECT json_build_object(
    'signature', f.oid::regprocedure::text, 'kind', f.prokind, 'system', n.nspname ~ '^pg_' OR n.nspname = 'information_schema',
    'extension', EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e'),
    'argument', (SELECT n FROM chosen), 'type', (SELECT type::int8 FROM chosen), 'type_name', (SELECT format_type(type, -1) FROM chosen))::text
  FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace WHERE f.oid = function
$function_facts$;

CREATE OR REPLACE FUNCTION pg_mosaic.set_function(function regprocedure, new_way "char", new_argument int2, new_type oid, group_number int4)
    RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $set_function$
DECLARE
    caller name := CASE current_setting('role') WHEN 'none' THEN session_user::text ELSE current_setting('role') END;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = function AND pg_has_role(caller, p.proowner, 'USAGE')) THEN
        RAISE insufficient_privilege USING MESSAGE = format('must be owner of function %s', function);
    END IF;
    DELETE FROM pg_mosaic.functions f
     WHERE f.funcid = function OR NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = f.funcid);
    INSERT INTO pg_mosaic.functions (funcid, way, argument, key_type, group_id)
    VALUES (function, new_way, new_argument, new_type, group_number);
END
$set_function$;
GRANT EXECUTE ON FUNCTION pg_mosaic.set_function(regprocedure, "char", int2, oid, int4) TO PUBLIC;

CREATE OR REPLACE FUNCTION pg_mosaic.column_names(relation oid, numbers int2[]) RETURNS json
    LANGUAGE sql STABLE SET search_path = pg_catalog AS $column_names$
SELECT COALESCE(json_agg(a.attname ORDER BY n.place), '[]')
  FROM unnest(numbers) WITH ORDINALITY AS n(number, place)
  JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = n.number
$column_names$;

CREATE OR REPLACE FUNCTION pg_mosaic.placement_of(relation oid) RETURNS json
    LANGUAGE sql STABLE SET search_path = pg_catalog AS $placement_of$
SELECT json_build_object('placement', m.placement, 'group', m.group_id,
           'key', (SELECT attname FROM pg_attribute WHERE attrelid = m.relid AND attnum = m.key_column))
  FROM pg_mosaic.tables m WHERE m.relid = COALESCE(pg_partition_root(relation), relation)
$placement_of$;

CREATE OR REPLACE FUNCTION pg_mosaic.table_facts(relation regclass) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog AS $table_facts$
WITH tree AS MATERIALIZED (
    SELECT relation::oid AS oid UNION SELECT t.relid FROM pg_partition_tree(relation) t
), user_code AS (
    SELECT d.classid, d.objid, json_agg(p.oid::regprocedure::text) AS names
      FROM pg_depend d JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
     WHERE d.classid IN ('pg_policy'::regclass, 'pg_constraint'::regclass) AND p.oid >= 16384 AND p.provolatile <> 'i'
     GROUP BY 1, 2
)
SELECT json_build_object(
    'oid', c.oid::int8, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind, 'persistence', c.relpersistence,
    'partition', c.relispartition, 'forced_row_security', c.relforcerowsecurity,
    'owned', pg_has_role(current_user, c.relowner, 'USAGE'),
    'system', n.nspname ~ '^pg_' OR n.nspname IN ('information_schema', 'mosaic'),
    'placed', pg_mosaic.placement_of(c.oid),
    'has_rows', (SELECT sum(pg_relation_size(oid)) > 0 FROM tree),
    'created_here', (SELECT pg_xact_status(full_xid::text::xid8) = 'in progress' FROM (
        SELECT next - ((next - a.xmin::text::int8 + 2147483648) & 4294967295) + 2147483648 AS full_xid,
               a.xmin::text::int8 AS low
          FROM pg_attribute a, (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::int8 AS next) s
         WHERE a.attrelid = c.oid AND a.attnum = -1) x WHERE low > 2 AND full_xid > 2),
    'columns', (SELECT json_agg(json_build_object(
            'name', a.attname, 'type', a.atttypid::int8, 'type_name', format_type(a.atttypid, a.atttypmod),
            'generated', a.attgenerated <> '', 'not_null', a.attnotnull,
            'nondeterministic', COALESCE(NOT l.collisdeterministic, false)) ORDER BY a.attnum)
        FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'inherits', EXISTS (SELECT FROM pg_inherits i JOIN pg_class o ON o.oid = i.inhrelid
                         WHERE c.oid IN (i.inhrelid, i.inhparent) AND NOT o.relispartition),
    'uniques', (SELECT json_agg(json_build_object(
            'name', x.relname, 'table', i.indrelid::regclass::text, 'expression', i.indexprs IS NOT NULL,
            'constraint', EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u')),
            'primary', i.indisprimary,
            'columns', pg_mosaic.column_names(i.indrelid, (i.indkey::int2[])[0:i.indnkeyatts - 1])) ORDER BY i.indexrelid)
        FROM pg_index i JOIN tree ON i.indrelid = tree.oid JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indisunique),
    'exclusions', (SELECT json_agg(json_build_object('name', k.conname,
            'equal', (SELECT COALESCE(json_agg(a.attname), '[]')
                FROM unnest(k.conkey, k.conexclop) AS e(number, operator)
                JOIN pg_operator o ON o.oid = e.operator AND o.oprname = '=' AND o.oprnamespace = 11
                JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = e.number)))
        FROM pg_constraint k JOIN tree ON k.conrelid = tree.oid WHERE k.contype = 'x'),
    'references', (SELECT json_agg(json_build_object(
            'name', k.conname, 'table', k.confrelid::regclass::text,
            'own', COALESCE(pg_partition_root(k.confrelid), k.confrelid) = COALESCE(pg_partition_root(c.oid), c.oid),
            'placed', pg_mosaic.placement_of(k.confrelid), 'has_rows', pg_relation_size(k.confrelid) > 0,
            'columns', pg_mosaic.column_names(k.conrelid, k.conkey),
            'other_columns', pg_mosaic.column_names(k.confrelid, k.confkey)) ORDER BY k.oid)
        FROM pg_constraint k JOIN tree ON k.conrelid = tree.oid WHERE k.contype = 'f' AND k.conparentid = 0),
    'referenced_by', (SELECT json_agg(json_build_object(
            'name', k.conname, 'table', k.conrelid::regclass::text,
            'own', COALESCE(pg_partition_root(k.conrelid), k.conrelid) = COALESCE(pg_partition_root(c.oid), c.oid),
            'placed', pg_mosaic.placement_of(k.conrelid),
            'has_rows', (SELECT sum(pg_relation_size(o)) > 0
                           FROM (SELECT k.conrelid AS o UNION SELECT relid FROM pg_partition_tree(k.conrelid)) p),
            'columns', pg_mosaic.column_names(k.conrelid, k.conkey),
            'other_columns', pg_mosaic.column_names(k.confrelid, k.confkey)) ORDER BY k.oid)
        FROM pg_constraint k JOIN tree ON k.confrelid = tree.oid WHERE k.contype = 'f' AND k.conparentid = 0),
    'triggers', (SELECT json_agg(json_build_object(
            'name', t.tgname, 'table', t.tgrelid::regclass::text, 'per_row', t.tgtype & 1 = 1, 'before', t.tgtype & 2 = 2,
            'enabled', t.tgenabled, 'language', g.lanname, 'built_in', p.oid < 16384,
            'function', p.oid::regproc::text, 'source', COALESCE(p.prosrc, '')) ORDER BY t.oid)
        FROM pg_trigger t JOIN tree ON t.tgrelid = tree.oid JOIN pg_proc p ON p.oid = t.tgfoid
        JOIN pg_language g ON g.oid = p.prolang WHERE NOT t.tgisinternal AND t.tgparentid = 0),
    'rules', (SELECT json_agg(r.rulename) FROM pg_rewrite r JOIN tree ON r.ev_class = tree.oid),
    'policies', (SELECT json_agg(json_build_object('name', p.polname, 'functions', u.names,
            'reads', COALESCE(p.polqual::text, '') || COALESCE(p.polwithcheck::text, '') LIKE '%{SUBLINK%'))
        FROM pg_policy p JOIN tree ON p.polrelid = tree.oid
        LEFT JOIN user_code u ON u.classid = 'pg_policy'::regclass AND u.objid = p.oid),
    'checks', (SELECT json_agg(json_build_object('name', k.conname, 'functions', u.names))
        FROM pg_constraint k JOIN tree ON k.conrelid = tree.oid
        JOIN user_code u ON u.classid = 'pg_constraint'::regclass AND u.objid = k.oid WHERE k.contype = 'c'),
    'functions', (SELECT json_agg(DISTINCT p.proname) FROM pg_proc p WHERE p.oid >= 16384 AND p.provolatile <> 'i'
        AND EXISTS (SELECT FROM pg_trigger t JOIN tree ON t.tgrelid = tree.oid WHERE NOT t.tgisinternal))
    )::text
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation
$table_facts$;
)sql";

}  // namespace pgmosaic::coordinator

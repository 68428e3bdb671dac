"""Our own functions and views: where tables live, and what operators see."""
import json
import struct
import threading
import time
import unittest

import cluster
import raw

if cluster.ON_PLAIN:
    import sys
    sys.exit(77)  # nothing of this is PostgreSQL's


def setUpModule():
    global made
    made = cluster.started(cluster.Cluster(shards=3))


class Case(unittest.TestCase):
    def setUp(self):
        self.c = made.raw()
        self.addCleanup(self.c.close)

    def table(self, name, columns, drop=True):
        self.c.execute(f"DROP TABLE IF EXISTS {name} CASCADE; CREATE TABLE {name} ({columns})")
        if drop:
            self.addCleanup(self.c.query, f"DROP TABLE IF EXISTS {name} CASCADE")

    def refused(self, sql, code, *words):
        """The error's fields; words must occur in message, detail or hint."""
        result = self.c.query(sql)[-1]
        self.assertEqual(result.code, code, result.error or result)
        said = " ".join(result.error.get(part, "") for part in "MDH")
        for word in words:
            self.assertIn(word, said)
        return result.error

    def placement(self, name):
        return self.c.rows(f"SELECT placement, key_column FROM mosaic.tables WHERE name = '{name}'")

    def rows_per_server(self, table):
        return [int(server.raw().value(f"SELECT count(*) FROM {table}")) for server in made.servers()]

    def assert_rows_where_they_belong(self, table, key):
        """No server has a row whose bucket another one owns."""
        owned = {}
        group = self.c.value(f"SELECT group_id FROM mosaic.tables WHERE name = '{table}'")
        for shard, first, last in self.c.rows(f"SELECT shard, first_bucket, last_bucket FROM mosaic.buckets WHERE group_id = {group}"):
            owned.setdefault(shard, []).append(f"[{first},{last}]")
        for shard in made.status()["shards"]:
            server = made.server(made.node(shard["name"])).raw()
            ranges = "{" + ",".join(owned.get(shard["name"], [])) + "}"
            self.assertEqual(server.value(
                f"SELECT count(*) FROM {table} WHERE NOT '{ranges}'::int8multirange @> "
                f"(hash_record_extended(ROW({key}), 8816678312871386365) & 65535)"), "0", f"strangers on {shard['name']}")


class Distributing(Case):
    def test_new_table(self):
        self.table("fresh", "id int PRIMARY KEY, v text")
        self.assertEqual(self.c.rows("SELECT create_distributed_table('fresh', 'id')"), [("",)])
        self.assertEqual(self.placement("fresh"), [("sharded", "id")])
        self.c.execute("INSERT INTO fresh VALUES " + ", ".join(f"({i}, 'v{i}')" for i in range(1, 61)))
        self.assertEqual(self.c.value("SELECT count(*) FROM fresh"), "60")
        self.assert_rows_where_they_belong("fresh", "id")

    def test_rows_that_are_there_are_spread(self):
        self.table("old", "id bigint PRIMARY KEY, v text, n numeric, at timestamptz DEFAULT now()")
        self.c.execute("INSERT INTO old (id, v, n) SELECT g, repeat('x', 50) || g, g / 7.0 FROM generate_series(1, 100000) g")
        before = self.c.value("SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM old o")
        with cluster.stopwatch() as taken:
            self.c.execute("SELECT create_distributed_table('old', 'id')")
        print(f"100,000 rows spread in {taken[0]:.1f} s")
        self.assertLess(taken[0], 20)
        self.assertEqual(sum(self.rows_per_server("old")), 100000)
        self.assert_rows_where_they_belong("old", "id")
        self.c.execute("SELECT undistribute_table('old')")
        self.assertEqual(self.placement("old"), [("local", None)])
        self.assertEqual(self.c.value("SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM old o"), before)
        self.assertEqual(sorted(self.rows_per_server("old")), [0, 0, 100000])

    def test_all_kinds_of_columns(self):
        self.c.execute("DROP TYPE IF EXISTS mood CASCADE; CREATE TYPE mood AS ENUM ('sad', 'glad');"
                       "DROP TYPE IF EXISTS pair CASCADE; CREATE TYPE pair AS (a int, b text)")
        self.table("kinds", "f float8, m mood, ms mood[], p pair, key text PRIMARY KEY, g int GENERATED ALWAYS AS (length(key)) STORED, "
                            "i int GENERATED ALWAYS AS IDENTITY, d date, s interval, b bytea, gone int")
        self.c.execute("ALTER TABLE kinds DROP COLUMN gone")
        self.c.execute("INSERT INTO kinds (f, m, ms, p, key, d, s, b) SELECT 1 / 3.0::float8, 'glad', '{sad,glad}', ROW(g, 'a,\"b')::pair, 'k' || g, "
                       "'2024-02-29', interval '1 day 02:03:04.5', '\\x00ff' FROM generate_series(1, 50) g")
        self.c.execute("SET extra_float_digits = -5; SET datestyle = 'SQL, DMY'")
        ask = "SELECT md5(string_agg(k::text, ',' ORDER BY key)) FROM kinds k"
        self.c.execute("SET extra_float_digits = 1")
        before = self.c.value(ask)
        self.c.execute("SET extra_float_digits = -5")
        self.c.execute("SELECT create_distributed_table('kinds', 'key')")
        self.assert_rows_where_they_belong("kinds", "key")
        self.assertEqual(self.c.rows("SELECT current_setting('extra_float_digits'), current_setting('datestyle')"), [("-5", "SQL, DMY")])
        self.c.execute("SELECT undistribute_table('kinds')")
        self.c.execute("SET extra_float_digits = 1")
        self.assertEqual(self.c.value(ask), before)

    def test_partitioned_table(self):
        self.table("parted", "id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at")
        self.c.execute("CREATE TABLE parted_a PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');"
                       "CREATE TABLE parted_b PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')")
        self.c.execute("INSERT INTO parted SELECT g, '2024-06-01'::date + g FROM generate_series(1, 300) g")
        self.refused("SELECT create_distributed_table('parted_a', 'id')", "0A000", "partition")
        self.c.execute("SELECT create_distributed_table('parted', 'id')")
        self.assertEqual(sum(self.rows_per_server("parted")), 300)
        self.assert_rows_where_they_belong("parted", "id")
        self.assertEqual(self.placement("parted_a"), [("sharded", "id")])

    def test_row_triggers_do_not_fire(self):
        self.table("stamped", "id int PRIMARY KEY, v text")
        self.c.execute("CREATE OR REPLACE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS "
                       "$$BEGIN NEW.v := NEW.v || '!'; RETURN NEW; END$$;"
                       "CREATE TRIGGER stamp BEFORE INSERT ON stamped FOR EACH ROW EXECUTE FUNCTION stamp()")
        self.c.execute("INSERT INTO stamped SELECT g, 'v' FROM generate_series(1, 40) g")
        self.c.execute("SELECT create_distributed_table('stamped', 'id')")
        values = [row for server in made.servers() for row in server.raw().rows("SELECT DISTINCT v FROM stamped")]
        self.assertEqual(set(values), {("v!",)})
        self.c.execute("INSERT INTO stamped VALUES (1000, 'w')")
        self.assertEqual(self.c.value("SELECT v FROM stamped WHERE id = 1000"), "w!")

    def test_rollback_and_commit_of_a_block(self):
        self.table("blocked", "id int PRIMARY KEY")
        self.c.execute("INSERT INTO blocked SELECT generate_series(1, 30)")
        self.c.execute("BEGIN")
        self.c.execute("SELECT create_distributed_table('blocked', 'id')")
        self.assertEqual(self.c.value("SELECT count(*) FROM blocked"), "30")
        self.c.execute("INSERT INTO blocked VALUES (31), (32), (33)")
        self.c.execute("ROLLBACK")
        self.assertEqual(self.placement("blocked"), [("local", None)])
        self.assertEqual(self.c.value("SELECT count(*) FROM blocked"), "30")
        self.c.execute("BEGIN; SELECT create_distributed_table('blocked', 'id'); INSERT INTO blocked VALUES (31), (32), (33); COMMIT")
        self.assertEqual(self.c.value("SELECT count(*) FROM blocked"), "33")
        self.assert_rows_where_they_belong("blocked", "id")

    def test_one_string_makes_and_distributes(self):
        self.c.query("DROP TABLE IF EXISTS one_string")
        self.addCleanup(self.c.query, "DROP TABLE IF EXISTS one_string")
        self.c.execute("CREATE TABLE one_string (id int PRIMARY KEY); SELECT create_distributed_table('one_string', 'id');"
                       "INSERT INTO one_string VALUES (1), (2), (3), (4)")
        self.assertEqual(self.c.value("SELECT count(*) FROM one_string"), "4")
        self.assert_rows_where_they_belong("one_string", "id")

    def test_create_table_with_key(self):
        self.c.query("DROP TABLE IF EXISTS with_key, with_key_too")
        self.addCleanup(self.c.query, "DROP TABLE IF EXISTS with_key, with_key_too")
        self.c.execute("CREATE TABLE with_key (id int PRIMARY KEY) WITH (mosaic.key = 'id')")
        self.c.execute("CREATE TABLE with_key_too (k int, id int) WITH (mosaic.key = 'k', mosaic.colocate_with = 'with_key', fillfactor = 70)")
        self.assertEqual(self.placement("with_key") + self.placement("with_key_too"), [("sharded", "id"), ("sharded", "k")])
        self.assertEqual(self.c.value("SELECT reloptions FROM pg_class WHERE relname = 'with_key_too'"), "{fillfactor=70}")
        self.refused("CREATE TABLE with_nothing (id int) WITH (mosaic.key = 'nix')", "42703")
        self.refused("SELECT * FROM with_nothing", "42P01")

    def test_groups(self):
        for name, type_ in (("ga", "int"), ("gb", "bigint"), ("gc", "text"), ("gd", "int"), ("ge", "int")):
            self.table(name, f"k {type_}, v int")
        for sql in ("create_distributed_table('ga', 'k')", "create_distributed_table('gb', 'k')",
                    "create_distributed_table('gc', 'k')", "create_distributed_table('gd', 'k', colocate_with := 'none')",
                    "create_distributed_table('ge', 'k', colocate_with => 'gd')"):
            self.c.execute(f"SELECT {sql}")
        group = dict(self.c.rows("SELECT name, group_id FROM mosaic.tables WHERE name LIKE 'g_'"))
        self.assertEqual(group["ga"], group["gb"])
        self.assertEqual(group["gd"], group["ge"])
        self.assertEqual(len({group["ga"], group["gc"], group["gd"]}), 3)
        self.c.execute("SELECT undistribute_table('gc')")
        self.refused("SELECT create_distributed_table('gc', 'k', colocate_with => 'ga')", "0A000", "text", "integer")
        self.refused("SELECT create_distributed_table('gc', 'k', colocate_with => 'nowhere')", "42P01")

    def test_names_and_search_path(self):
        self.c.execute('DROP SCHEMA IF EXISTS "My Schema" CASCADE; CREATE SCHEMA "My Schema"; '
                       'CREATE TABLE "My Schema"."My Table" ("The Key" int PRIMARY KEY); '
                       'INSERT INTO "My Schema"."My Table" SELECT generate_series(1, 20)')
        self.addCleanup(self.c.query, 'DROP SCHEMA "My Schema" CASCADE')
        self.c.execute('SET search_path = "My Schema"')
        self.c.execute("""SELECT create_distributed_table('"My Table"', 'The Key')""")
        self.c.execute("RESET search_path")
        self.assertEqual(sum(self.rows_per_server('"My Schema"."My Table"')), 20)
        self.assertEqual(self.c.value('SELECT count(*) FROM "My Schema"."My Table"'), "20")

    def test_extended_protocol(self):
        self.table("wired", "id int PRIMARY KEY")
        result = self.c.extended("SELECT create_distributed_table($1, $2)", ("wired", "id"))
        self.assertEqual((result.error, result.tag, result.rows), (None, "SELECT 1", [(b"",)]))
        self.assertEqual((result.columns[0].name, result.columns[0].type), ("create_distributed_table", 2278))
        result = self.c.extended("SELECT mosaic.bucket_of('wired', $1)", ("1",), result_formats=(1,))
        self.assertEqual(struct.unpack("!i", result.rows[0][0])[0], 59093)
        with made.connect() as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT mosaic.shard_of(%s, %s)", ("wired", "1"))
            self.assertIn(cursor.fetchone()[0], {"s1", "s2", "s3"})


class Refusals(Case):
    def test_what_is_not_there(self):
        self.refused("SELECT create_distributed_table('nowhere', 'id')", "42P01")
        self.table("here", "id int PRIMARY KEY, v text")
        self.refused("SELECT create_distributed_table('here', 'nix')", "42703", '"nix" of relation "here" does not exist')
        self.refused("SELECT create_distributed_table('here')", "42883")
        self.refused("SELECT create_distributed_table(NULL, 'id')", "22004")
        self.refused("SELECT create_distributed_table('here', 'id', wrong := 'x')", "42883")
        self.refused("SELECT undistribute_table('here')", "42P16", "not distributed")
        self.c.execute("SELECT create_distributed_table('here', 'id')")
        self.refused("SELECT create_distributed_table('here', 'id')", "42P16", "already distributed")
        self.refused("SELECT create_reference_table('here')", "42P16", "already distributed")
        self.c.query("DROP VIEW IF EXISTS a_view"), self.c.execute("CREATE VIEW a_view AS SELECT 1 AS id")
        self.addCleanup(self.c.query, "DROP VIEW a_view")
        self.refused("SELECT create_distributed_table('a_view', 'id')", "42809")
        self.refused("SELECT create_distributed_table('pg_class', 'oid')", "42501")

    def test_owner_only(self):
        admin = made.raw(user="postgres")
        self.addCleanup(admin.close)
        admin.execute("DROP TABLE IF EXISTS not_yours; CREATE TABLE not_yours (id int PRIMARY KEY)")
        self.addCleanup(lambda: made.raw(user="postgres").query("DROP TABLE not_yours"))
        self.refused("SELECT create_distributed_table('not_yours', 'id')", "42501", "must be owner of table not_yours")
        self.refused("SELECT create_reference_table('not_yours')", "42501")

    def test_unique_constraints(self):
        """The contract's own example."""
        self.table("orders", "customer_id int, email text, CONSTRAINT once UNIQUE (email)")
        error = self.refused("SELECT create_distributed_table('orders', 'customer_id')", "0A000")
        self.assertEqual((error["M"], error["D"], error["H"]), (
            'unique constraint on "orders" must include the shard key',
            'Table "orders" is sharded by "customer_id"; the constraint covers only "email".',
            "Use UNIQUE (email, customer_id), or SELECT create_reference_table('orders')."))
        self.table("keyed", "id int PRIMARY KEY, k int")
        self.refused("SELECT create_distributed_table('keyed', 'k')", "0A000", "PRIMARY KEY (id, k)")
        self.table("indexed", "id int, v text")
        self.c.execute("CREATE UNIQUE INDEX ON indexed (lower(v))")
        self.refused("SELECT create_distributed_table('indexed', 'id')", "0A000", "unique index")
        self.c.execute("DROP INDEX indexed_lower_idx; CREATE UNIQUE INDEX ON indexed (lower(v), id)")
        self.c.execute("SELECT create_distributed_table('indexed', 'id')")

    def test_key_types(self):
        self.table("typed", "f float8, b boolean, g int GENERATED ALWAYS AS (1) STORED, i int")
        for column in "fbg":
            self.refused(f"SELECT create_distributed_table('typed', '{column}')", "0A000", "cannot be the shard key")
        self.c.execute("INSERT INTO typed (i) VALUES (1), (NULL)")
        self.refused("SELECT create_distributed_table('typed', 'i')", "23502", "contains null values")

    def test_code_that_may_read_elsewhere(self):
        self.table("watched", "id int PRIMARY KEY, v int")
        self.c.execute("CREATE OR REPLACE FUNCTION nosy() RETURNS trigger LANGUAGE plpgsql AS "
                       "$$BEGIN IF EXISTS (SELECT 1 FROM watched WHERE v = NEW.v) THEN RETURN NULL; END IF; RETURN NEW; END$$;"
                       "CREATE TRIGGER nosy BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION nosy()")
        self.refused("SELECT create_distributed_table('watched', 'id')", "0A000", 'trigger "nosy"')
        self.c.execute("DROP TRIGGER nosy ON watched; CREATE OR REPLACE FUNCTION mover() RETURNS trigger LANGUAGE plpgsql AS "
                       "$$BEGIN NEW.id := NEW.id + 1; RETURN NEW; END$$;"
                       "CREATE TRIGGER mover BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION mover()")
        self.refused("SELECT create_distributed_table('watched', 'id')", "0A000", "shard key")
        self.c.execute("DROP TRIGGER mover ON watched; ALTER TABLE watched ENABLE ROW LEVEL SECURITY;"
                       "CREATE POLICY p ON watched USING (v IN (SELECT w.v FROM watched w))")
        self.refused("SELECT create_distributed_table('watched', 'id')", "0A000", 'policy "p"')
        self.c.execute("DROP POLICY p ON watched; CREATE POLICY p ON watched USING (v > 0)")
        self.c.execute("SELECT create_distributed_table('watched', 'id')")

    def test_inheritance_and_temporary(self):
        self.table("mother", "id int")
        self.c.execute("CREATE TABLE daughter () INHERITS (mother)")
        for name in ("mother", "daughter"):
            self.refused(f"SELECT create_distributed_table('{name}', 'id')", "0A000", "inheritance")

    def test_foreign_keys(self):
        self.table("parents", "id int PRIMARY KEY")
        self.table("countries", "code text PRIMARY KEY")
        self.table("children", "parent int REFERENCES parents, id int, country text REFERENCES countries, PRIMARY KEY (parent, id)")
        self.refused("SELECT create_distributed_table('children', 'parent')", "0A000", "Distribute parents first")
        self.c.execute("INSERT INTO parents SELECT generate_series(1, 30)")
        self.c.execute("SELECT create_distributed_table('parents', 'id')")
        self.refused("SELECT create_distributed_table('children', 'parent')", "0A000", "create_reference_table('countries')")
        self.c.execute("INSERT INTO countries VALUES ('de'), ('fr')")
        self.c.execute("SELECT create_reference_table('countries')")
        self.refused("SELECT create_distributed_table('children', 'parent', colocate_with => 'none')", "0A000", "another group")
        self.c.execute("SELECT create_distributed_table('children', 'parent')")
        self.c.execute("INSERT INTO children VALUES " + ", ".join(f"({i}, 1, 'de')" for i in range(1, 31)))
        self.refused("INSERT INTO children VALUES (31, 1, 'de')", "23503")
        self.refused("INSERT INTO children VALUES (30, 2, 'xx')", "23503")
        for name in ("parents", "children"):
            self.refused(f"SELECT undistribute_table('{name}')", "0A000", "Drop the constraint")
        self.c.execute("ALTER TABLE children DROP CONSTRAINT children_parent_fkey")
        self.c.execute("SELECT undistribute_table('children')")
        self.assertEqual(self.c.value("SELECT count(*) FROM children"), "30")

    def test_functions_of_later(self):
        for call in ("citus_rebalance_start()", "mosaic.restore_point('x')", "mosaic.move_buckets()",
                     "isolate_tenant_to_new_shard('t', 1)"):
            self.refused(f"SELECT {call}", "0A000", "not available in this version")


class References(Case):
    def test_copies_and_their_return(self):
        self.table("currencies", "code text PRIMARY KEY, name text")
        self.c.execute("INSERT INTO currencies VALUES ('EUR', 'Euro'), ('USD', 'Dollar')")
        self.c.execute("SELECT create_reference_table('currencies')")
        self.assertEqual(self.rows_per_server("currencies"), [2, 2, 2])
        self.c.execute("INSERT INTO currencies VALUES ('SEK', 'Krona')")
        self.assertEqual(self.rows_per_server("currencies"), [3, 3, 3])
        self.assertEqual(self.placement("currencies"), [("reference", None)])
        self.c.execute("SELECT undistribute_table('currencies')")
        self.assertEqual(sorted(self.rows_per_server("currencies")), [0, 0, 3])
        self.assertEqual(self.c.value("SELECT count(*) FROM currencies"), "3")


class BesideOthers(Case):
    def test_writers_lose_and_misplace_nothing(self):
        """Sessions insert all the time while the table is distributed, brought home, and distributed again."""
        self.table("busy", "id bigint PRIMARY KEY, writer int")
        stop = threading.Event()
        written = [0] * 4
        failures = []

        def write(number):
            with made.raw() as connection:
                step = 0
                while not stop.is_set():
                    step += 1
                    result = connection.query(f"INSERT INTO busy VALUES ({step * 4 + number}, {number})")[0]
                    if result.error is None:
                        written[number] += 1
                    elif result.code not in ("57014", "40001"):
                        failures.append(result.error)
                        return

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        try:
            for verb in ("create_distributed_table('busy', 'id')", "undistribute_table('busy')") * 2 + ("create_distributed_table('busy', 'id')",):
                time.sleep(0.7)
                self.c.execute(f"SELECT {verb}")
            time.sleep(0.5)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(int(self.c.value("SELECT count(*) FROM busy")), sum(written))
        self.assertEqual(sum(self.rows_per_server("busy")), sum(written))
        self.assert_rows_where_they_belong("busy", "id")
        self.assertGreater(sum(written), 100)

    def test_an_idle_transaction_holds_it_up_for_a_while_only(self):
        self.table("held", "id int PRIMARY KEY")
        with made.raw() as other:
            other.execute("BEGIN; INSERT INTO held VALUES (1)")
            with cluster.stopwatch() as taken:
                self.refused("SELECT create_distributed_table('held', 'id')", "55P03")
            self.assertLess(taken[0], 15)
            other.execute("COMMIT")
        self.c.execute("SELECT create_distributed_table('held', 'id')")

    def test_several_at_once(self):
        names = [f"many{i}" for i in range(6)]
        for name in names:
            self.table(name, "id int PRIMARY KEY")
            self.c.execute(f"INSERT INTO {name} SELECT generate_series(1, 1000)")
        results = {}

        def distribute(name):
            with made.raw() as connection:
                results[name] = connection.query(f"SELECT create_distributed_table('{name}', 'id')")[0].error

        threads = [threading.Thread(target=distribute, args=(name,)) for name in names]
        [thread.start() for thread in threads], [thread.join() for thread in threads]
        self.assertEqual(results, {name: None for name in names})
        for name in names:
            self.assertEqual(self.c.value(f"SELECT count(*) FROM {name}"), "1000")
            self.assert_rows_where_they_belong(name, "id")


class Views(Case):
    COLUMNS = {"shards": "name", "nodes": "name", "tables": "name", "buckets": "group_id", "clients": "id", "pools": "shard",
               "transactions": "gid", "locks": "pid", "statements": "query", "jobs": "id", "events": "id", "settings": "name",
               "errors": "sqlstate"}

    def test_every_view_answers_in_both_protocols(self):
        for view, column in self.COLUMNS.items():
            with self.subTest(view=view):
                simple = self.c.rows(f"SELECT {column} FROM mosaic.{view} ORDER BY 1")
                extended = self.c.extended(f"SELECT v.{column} FROM mosaic.{view} AS v ORDER BY 1")
                self.assertIsNone(extended.error)
                if view not in ("locks", "transactions"):
                    self.assertEqual(len(simple), len(extended.rows))

    def test_joined_with_each_other_and_with_catalogs(self):
        rows = self.c.rows("SELECT s.name, n.role, n.port > 0 FROM mosaic.shards s JOIN mosaic.nodes n ON n.shard = s.name "
                           "WHERE EXISTS (SELECT FROM pg_class) ORDER BY 1")
        self.assertEqual(rows, [(f"s{i}", "primary", "t") for i in (1, 2, 3)])

    def test_clients_of_all_cores(self):
        others = [made.raw(application_name=f"other{i}") for i in range(6)]
        names = {row[0] for row in self.c.rows("SELECT application_name FROM mosaic.clients")}
        self.assertLessEqual({f"other{i}" for i in range(6)}, names)
        for other in others:
            other.close()

    def test_short_forms(self):
        for word in ("POOLS", "CLIENTS", "SERVERS", "STATS", "SHARDS", "NODES", "JOBS"):
            with self.subTest(word=word):
                result = self.c.query(f"SHOW {word}")[0]
                self.assertEqual((result.error, result.tag), (None, "SHOW"))
                extended = self.c.extended(f"SHOW {word}")
                self.assertEqual([column.name for column in extended.columns], [column.name for column in result.columns])

    def test_status_document(self):
        document = json.loads(self.c.value("SELECT status FROM mosaic.status"))
        self.assertEqual(list(document), ["schema", "cluster", "state", "map_version", "endpoint", "shards", "workbench", "jobs",
                                          "last_failover"])
        self.assertEqual(document["schema"], "pgmosaic/status/1")
        self.assertEqual(list(document["shards"][0]), ["name", "state", "epoch", "buckets", "size_bytes", "nodes"])
        self.assertEqual(list(document["shards"][0]["nodes"][0]), ["name", "role", "host", "port", "pid", "data_directory", "timeline",
                                                                   "lsn", "sync", "promotable", "lag_bytes"])
        self.assertEqual(sum(shard["buckets"] for shard in document["shards"]), 65536)
        for shard in document["shards"]:
            self.assertGreater(shard["size_bytes"], 1 << 20)
            self.assertIsInstance(shard["nodes"][0]["pid"], int)


class Operators(Case):
    def test_commands_on_shards(self):
        self.refused("SELECT run_command_on_shards('SELECT 1')", "42501")
        with made.raw(user="postgres") as admin:
            self.assertEqual(admin.rows("SELECT * FROM run_command_on_shards('SELECT 6 * 7')"),
                             [(f"s{i}", "t", "42") for i in (1, 2, 3)])
            rows = admin.rows("SELECT run_command_on_shards('SELECT * FROM nowhere')")
            self.assertEqual([row[:2] for row in rows], [(f"s{i}", "f") for i in (1, 2, 3)])

    def test_failover_by_hand_needs_rights_and_a_shard(self):
        self.refused("SELECT mosaic.failover('s1')", "42501")
        with made.raw(user="postgres") as admin:
            self.assertEqual(admin.query("SELECT mosaic.failover('nix')")[0].code, "42704")
            self.assertEqual(admin.query("SELECT mosaic.switchover('nix')")[0].code, "42704")

    def test_where_a_key_is(self):
        self.table("located", "k numeric PRIMARY KEY")
        self.refused("SELECT mosaic.shard_of('located', '1')", "0A000", "not sharded")
        self.c.execute("SELECT create_distributed_table('located', 'k')")
        self.c.execute("INSERT INTO located VALUES (1.50)")
        shard = self.c.value("SELECT mosaic.shard_of('located', '1.5')")
        self.assertEqual(made.server(made.node(shard)).raw().value("SELECT count(*) FROM located"), "1")
        self.refused("SELECT mosaic.shard_of('located', 'x')", "22P02")


if __name__ == "__main__":
    unittest.main()

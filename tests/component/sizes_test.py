"""Sizes, estimates and counters of a sharded table are those of all its parts; of other tables they are the server's own."""
import unittest

import cluster
import raw

ROWS = 20000
SIZES = ("pg_total_relation_size", "pg_table_size", "pg_indexes_size", "pg_relation_size")


def setUpModule():
    global target, servers
    target = cluster.started(cluster.Pair(shards=3)).target
    servers = [target] if cluster.ON_PLAIN else target.servers()
    with target.raw(user="postgres") as connection:
        connection.execute("CREATE ROLE stranger LOGIN")
    with target.raw() as connection:
        for statement in (
                "CREATE TABLE spread (id int PRIMARY KEY, x text)",
                "CREATE TABLE parted (id int, day int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)",
                "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (50)",
                "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (50) TO (100)",
                "CREATE TABLE everywhere (id int PRIMARY KEY, x text)",
                "CREATE TABLE here (id int PRIMARY KEY, reltuples text)",
                'CREATE SCHEMA "Odd one"',
                'CREATE TABLE "Odd one"."My table" (id int PRIMARY KEY)'):
            connection.execute(statement)
        if not cluster.ON_PLAIN:
            for table in ("spread", "parted", '"Odd one"."My table"'):
                connection.execute(f"SELECT create_distributed_table('{table}', 'id')")
            connection.execute("SELECT create_reference_table('everywhere')")
        connection.execute(f"INSERT INTO spread SELECT g, repeat('x', 100) FROM generate_series(1, {ROWS}) g")
        connection.execute(f"INSERT INTO parted SELECT g, g % 100 FROM generate_series(1, {ROWS}) g")
        for table in ("everywhere", "here"):
            connection.execute(f"INSERT INTO {table} SELECT g, 'x' FROM generate_series(1, 1000) g")
        connection.execute('INSERT INTO "Odd one"."My table" SELECT generate_series(1, 500)')
        connection.execute("DELETE FROM spread WHERE id <= 100")
        connection.execute("ANALYZE")


def number(connection, sql):
    return int(connection.rows(sql)[0][0])


def on_each(sql):
    """The rows that each server has."""
    found = []
    for server in servers:
        with server.raw() as connection:
            found.append(connection.rows(sql))
    return found


def header(connection, sql):
    return [(column.name, column.type) for column in connection.query(sql)[-1].columns]


def on_servers(sql):
    """The number that each server tells."""
    return [int(rows[0][0]) for rows in on_each(sql)]


class Sizes(unittest.TestCase):
    def setUp(self):
        self.connection = target.raw()
        self.addCleanup(self.connection.close)

    def assert_summed(self, sql):
        parts = on_servers(sql)
        self.assertGreater(min(parts), 0, sql)
        self.assertEqual(number(self.connection, sql), sum(parts), sql)

    def test_sizes_of_sharded_tables_are_summed(self):
        for table in ("spread", "parted_1", "parted_2", '"Odd one"."My table"'):
            for function in SIZES:
                with self.subTest(table=table, function=function):
                    self.assert_summed(f"SELECT {function}('{table}')")
        self.assert_summed("SELECT pg_relation_size('spread', 'fsm')")
        self.assert_summed("SELECT pg_catalog.pg_relation_size('spread_pkey'::regclass)")
        self.assert_summed("SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                           "WHERE c.relname IN ('spread', 'parted_1')")
        self.assert_summed("SELECT pg_total_relation_size(relid) FROM pg_partition_tree('parted') WHERE isleaf ORDER BY relid::text LIMIT 1")

    def test_the_pretty_form_and_a_parameter(self):
        total = sum(on_servers("SELECT pg_total_relation_size('spread')"))
        pretty = self.connection.rows("SELECT pg_size_pretty(pg_total_relation_size('spread'))")[0][0]
        self.assertEqual(pretty, self.connection.rows(f"SELECT pg_size_pretty({total}::bigint)")[0][0])
        with target.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_total_relation_size(%s), pg_total_relation_size(%s::regclass)", ("spread", "spread"))
            self.assertEqual(cursor.fetchone(), (total, total))
            cursor.execute("PREPARE size(regclass) AS SELECT pg_total_relation_size($1)")
            cursor.execute("EXECUTE size('spread')")
            self.assertEqual(cursor.fetchone(), (total,))
        rows = self.connection.extended("SELECT pg_total_relation_size($1::text::regclass)", ["spread"]).rows
        self.assertEqual(int(rows[0][0]), total)

    def test_other_tables_are_told_as_they_are(self):
        for table in ("everywhere", "here", "pg_class"):
            for function in SIZES:
                sql = f"SELECT {function}('{table}')"
                with self.subTest(sql=sql):
                    self.assertEqual(number(self.connection, sql), on_servers(sql)[0])
        self.assertEqual(self.connection.rows("SELECT reltuples FROM here LIMIT 1"), [("x",)])

    def test_a_database_is_as_large_as_its_parts(self):
        sql = "SELECT pg_database_size(current_database())"
        told, parts = number(self.connection, sql), sum(on_servers(sql))
        self.assertLess(abs(told - parts), parts / 10)  # it grows by itself
        self.assertGreater(number(self.connection, "SELECT pg_database_size(oid) FROM pg_database WHERE datname = current_database()"), told * 0.9)

    def test_estimates(self):
        self.assertEqual(number(self.connection, "SELECT reltuples FROM pg_class WHERE relname = 'spread'"), ROWS - 100)
        self.assert_summed("SELECT relpages FROM pg_class WHERE relname = 'spread'")
        self.assert_summed("SELECT c.reltuples::bigint FROM pg_catalog.pg_class AS c WHERE c.oid = 'parted_1'::regclass ORDER BY c.reltuples")
        self.assertEqual(number(self.connection, "SELECT reltuples FROM pg_class WHERE relname = 'everywhere'"), 1000)
        sql = "SELECT reltuples, relpages FROM pg_class WHERE relname = 'spread'"
        with servers[0].raw() as server:
            self.assertEqual(header(self.connection, sql), header(server, sql))

    def test_counters(self):
        sql = "SELECT {} FROM pg_stat_user_tables WHERE relname = 'spread'"

        def counted():
            return sum(on_servers(sql.format("n_tup_ins"))) == ROWS and sum(on_servers(sql.format("n_tup_del"))) == 100
        cluster.wait_for(counted, what="the servers' statistics")
        for column in ("n_tup_ins", "n_live_tup", "n_tup_del", "analyze_count"):
            with self.subTest(column=column):
                self.assertEqual(number(self.connection, sql.format(column)), sum(on_servers(sql.format(column))))
        self.assertEqual(number(self.connection, "SELECT s.n_tup_ins FROM pg_catalog.pg_stat_all_tables s WHERE s.relid = 'spread'::regclass"), ROWS)
        self.assertEqual(number(self.connection, "SELECT n_tup_ins FROM pg_stat_user_tables WHERE relname = 'everywhere'"), 1000)
        latest = [rows[0][0] for rows in on_each("SELECT max(last_analyze) FROM pg_stat_user_tables WHERE relname = 'spread'")]
        self.assertEqual(self.connection.rows("SELECT last_analyze FROM pg_stat_user_tables WHERE relname = 'spread'"), [(max(latest),)])
        with servers[0].raw() as server:
            for view in ("pg_stat_user_tables", "pg_stat_user_indexes", "pg_statio_user_tables", "pg_statio_user_indexes",
                         "pg_stat_all_tables", "pg_stat_all_indexes", "pg_statio_all_tables", "pg_statio_all_indexes"):
                with self.subTest(view=view):
                    self.assertEqual(header(self.connection, f"SELECT * FROM {view}"), header(server, f"SELECT * FROM {view}"))

    def test_someone_without_rights_sees_them_too(self):
        with target.raw(user="stranger") as stranger:
            sql = "SELECT pg_total_relation_size('spread')"
            self.assertEqual(number(stranger, sql), number(self.connection, sql))
            self.assertEqual(number(stranger, "SELECT reltuples FROM pg_class WHERE relname = 'spread'"), ROWS - 100)
            self.assertEqual(number(stranger, "SELECT count(*) FROM pg_stat_user_tables WHERE relname = 'spread'"), 1)

    @unittest.skipIf(cluster.ON_PLAIN, "one server refuses nothing")
    def test_beside_sharded_tables_they_are_refused(self):
        for sql in ("SELECT count(*), pg_total_relation_size('spread') FROM spread",
                    "SELECT n_tup_ins FROM pg_stat_user_tables JOIN spread ON true LIMIT 1"):
            with self.subTest(sql=sql), self.assertRaises(raw.ServerError) as caught:
                self.connection.execute(sql)
            self.assertEqual(caught.exception.code, "0A000")

    def test_psql_shows_them(self):
        shown = target.psql("\\dt+ spread")
        pretty = self.connection.rows(f"SELECT pg_size_pretty({sum(on_servers('SELECT pg_table_size($$spread$$)'))}::bigint)")[0][0]
        self.assertIn(pretty, shown)


if __name__ == "__main__":
    unittest.main()

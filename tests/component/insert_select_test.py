"""Rows of queries go into tables wherever they lie, and come to be what they would be on one PostgreSQL."""
import unittest

import cluster
import compare


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair(shards=3))
    pair.both("CREATE TABLE t (id int PRIMARY KEY, v varchar(8), n numeric(8,2), d date DEFAULT '2024-01-02', f float8)")
    pair.both("CREATE TABLE s (id bigint PRIMARY KEY, ref int, note text)")
    pair.both("CREATE TABLE made (id serial, tenant text NOT NULL, day date, PRIMARY KEY (tenant, id))")
    pair.both("CREATE TABLE parent (k int, id int, PRIMARY KEY (k, id))")
    pair.both("CREATE TABLE own (a int, b text); INSERT INTO own SELECT g, 'own ' || g FROM generate_series(1, 20) g")
    pair.both("CREATE TABLE codes (code text PRIMARY KEY, worth numeric)")
    for table, key in (("t", "id"), ("s", "id"), ("made", "tenant"), ("parent", "k")):
        pair.distribute(table, key)
    pair.reference("codes")
    pair.fill("s (id, ref, note)", "SELECT g, g % 7, 'note ' || g FROM generate_series(1, 70) g")


class Rows(unittest.TestCase):
    def setUp(self):
        self.session = compare.Comparison(pair)
        self.addCleanup(self.session.close)
        pair.both("TRUNCATE t; TRUNCATE made; TRUNCATE codes; TRUNCATE parent; DELETE FROM own WHERE a > 20")

    def same(self, *statements, **options):
        found = [line for sql in statements for line in self.session.simple(sql, **options)]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def all_of(self, table="t"):
        self.same(f"SELECT * FROM {table} ORDER BY 1, 2")

    def test_of_a_function(self):
        self.same("INSERT INTO t SELECT g, 'v' || g, g / 3.0, DEFAULT FROM generate_series(1, 3) g", refusals_allowed=True)
        self.same("INSERT INTO t SELECT g, 'v' || g, g / 3.0 FROM generate_series(1, 3000) g")
        self.same("SELECT count(*), sum(n), min(d), max(v) FROM t")
        self.same("INSERT INTO t (v, id) SELECT NULL, g FROM generate_series(5001, 5010) g RETURNING id, d, v")
        self.same("INSERT INTO t (id, f) SELECT g, 0.1::float8 * g FROM generate_series(6001, 6100) g")
        self.same("SET extra_float_digits = -5", "INSERT INTO t (id, f) SELECT g, 0.1::float8 * g FROM generate_series(7001, 7100) g",
                  "SET extra_float_digits = 1", "SELECT id, f FROM t WHERE id > 6000 ORDER BY id")

    def test_are_assigned_as_postgresql_assigns(self):
        self.same("INSERT INTO t (id, v, n, d) SELECT 1.6 + g, 5, '3.14159', timestamp '2024-05-06 07:08' FROM generate_series(1, 20) g")
        self.all_of()
        self.same("INSERT INTO t SELECT '7' FROM s LIMIT 1", "INSERT INTO t (id, n) SELECT id, 'NaN' FROM s WHERE id > 60", "INSERT INTO t (id) SELECT true FROM own")
        self.same("INSERT INTO t (id, v) SELECT a + 100, 'much too long' FROM own", "INSERT INTO t (id, d) SELECT a, b FROM own", "INSERT INTO t (id) SELECT b FROM own",
                  "INSERT INTO t (id) SELECT NULL FROM own", "INSERT INTO t (v) SELECT b FROM own", "INSERT INTO t (id, id) SELECT a, a FROM own",
                  "INSERT INTO t SELECT 1, 2, 3, now(), 5, 6", "INSERT INTO t SELECT a, b FROM own WHERE false", "INSERT INTO t (id) SELECT a FROM nothing")
        self.all_of()

    def test_of_other_shards(self):
        self.same("INSERT INTO t (id, v) SELECT ref * 1000 + id, note FROM s", "SELECT count(*), min(id), max(id) FROM t")
        self.same("INSERT INTO t (id, v) SELECT ref, max(id) FROM s GROUP BY ref", "INSERT INTO t (id, v) SELECT -id, ref FROM s ORDER BY ref, id LIMIT 9")
        self.same("INSERT INTO t (id) SELECT 100000 + a.id * 100 + b.id FROM s a JOIN s b ON a.ref = b.id", "INSERT INTO t (id) SELECT id + 200000 FROM t")
        self.same("WITH w AS (SELECT ref, count(*) AS c FROM s GROUP BY ref) INSERT INTO t (id, v) SELECT -500 - ref, c FROM w RETURNING id, v")
        self.all_of()

    def test_of_an_own_transaction(self):
        self.same("BEGIN", "INSERT INTO s VALUES (1000, 1, 'mine')", "INSERT INTO t (id, v) SELECT id * 2, note FROM s WHERE id >= 1000", "SELECT id, v FROM t",
                  "SAVEPOINT a", "INSERT INTO t (id) SELECT 2000 FROM s", "ROLLBACK TO a", "SELECT count(*) FROM t", "ROLLBACK", "SELECT count(*) FROM t")

    def test_meet_conflicts(self):
        self.same("INSERT INTO t (id, v) SELECT a, 'first' FROM own")
        self.same("INSERT INTO t (id, v) SELECT a * 2, 'second' FROM own ON CONFLICT (id) DO NOTHING")
        self.same("INSERT INTO t AS x (id, v) SELECT a * 3, 'third' FROM own ON CONFLICT (id) DO UPDATE SET v = excluded.v || x.v")
        self.same("INSERT INTO t (id, v) SELECT a % 3, 'x' FROM own ON CONFLICT (id) DO UPDATE SET v = excluded.v", "INSERT INTO t (id) SELECT a FROM own WHERE a = 4")
        self.all_of()

    def test_get_their_serials(self):
        self.same("INSERT INTO made (tenant, day) SELECT 't' || a % 4, '2024-02-29' FROM own ORDER BY a", "SELECT count(*), count(DISTINCT id), max(id) FROM made")
        self.same("SELECT tenant, id, day FROM made ORDER BY id")
        self.same("INSERT INTO made SELECT 100 + a, 'u', now()::date FROM own", "SELECT count(*) FROM made WHERE tenant = 'u'")

    def test_go_into_local_and_reference_tables(self):
        self.same("INSERT INTO own SELECT id + 20, note FROM s WHERE ref = 3 RETURNING a", "SELECT count(*), sum(a) FROM own")
        self.same("INSERT INTO codes SELECT note, id FROM s WHERE ref = 2", "SELECT code, worth FROM codes ORDER BY 1", "SELECT count(*) FROM s JOIN codes ON code = note")

    def test_of_values_that_read(self):
        self.same("INSERT INTO t (id, v) VALUES ((SELECT max(id) FROM s), 'max'), (2, (SELECT min(note) FROM s))", "SELECT id, v FROM t ORDER BY id")

    def test_make_tables(self):
        self.same("CREATE TABLE made_of AS SELECT ref, count(*) AS c, max(note) AS m FROM s GROUP BY ref", "SELECT * FROM made_of ORDER BY 1",
                  "INSERT INTO made_of VALUES (99, 1, 'x')", "CREATE TABLE made_of AS SELECT 1", "CREATE TABLE IF NOT EXISTS made_of AS SELECT id FROM s",
                  "SELECT count(*) FROM made_of", "DROP TABLE made_of", "SELECT note, id INTO made_of FROM s WHERE id < 9", "SELECT * FROM made_of ORDER BY id",
                  "ALTER TABLE made_of ADD COLUMN z int", "DROP TABLE made_of", "CREATE TABLE made_of AS SELECT a FROM own", "SELECT count(*) FROM made_of", "DROP TABLE made_of")

    def test_with_parameters(self):
        for sql, values in (("INSERT INTO t (id, v) SELECT g + $1, $2 FROM generate_series(1, 5) g RETURNING id, v", ["10", "abc"]),
                            ("INSERT INTO t (id, v, d) SELECT id * 10, $1, $2 FROM s WHERE ref = $3", ["p", "2024-02-03", "4"]),
                            ("INSERT INTO t (id, v) VALUES ($1 + 5, $2)", ["77", "x"])):
            found = self.session.extended(sql, values)
            self.assertEqual(found, [], "\n" + "\n".join(found))
        self.all_of()

    def test_many_are_quick(self):
        with pair.target.raw() as connection:
            connection.execute("INSERT INTO t (id, v) SELECT g, 'v' FROM generate_series(1, 100000) g")
            self.assertEqual(connection.value("SELECT count(*) FROM t"), "100000")

    def test_move_when_their_key_changes(self):
        self.same("INSERT INTO t (id, v) SELECT a, b FROM own WHERE a < 15", "UPDATE t SET id = id + 50", "UPDATE t SET id = id + 100, v = id WHERE id % 2 = 0",
                  "UPDATE t SET id = 1000 WHERE id = 53 RETURNING id, v", "UPDATE t SET id = 1000 WHERE id = 55")
        self.all_of()
        self.same("BEGIN", "UPDATE t SET id = -id", "ROLLBACK", "UPDATE t SET id = NULL WHERE id = 1000", "UPDATE t SET id = 'x'")
        self.all_of()


if __name__ == "__main__":
    unittest.main()

"""Queries that only a whole PostgreSQL can finish: what they answer, what they may see, and that nothing of them remains."""
import struct
import threading
import unittest

import cluster
import compare
import raw


def setUpModule():
    global pair
    pair = cluster.started(cluster.Pair(shards=3))
    pair.both("CREATE TABLE a (id bigint PRIMARY KEY, g int, v text, n numeric(10,2), at timestamptz);"
              "CREATE TABLE b (id bigint PRIMARY KEY, a_id bigint, x int);"
              "CREATE TABLE r (id int PRIMARY KEY, name text); CREATE TABLE l (id int PRIMARY KEY, v text)")
    pair.distribute("a", "id")
    pair.distribute("b", "id")
    pair.reference("r")
    rows = b"".join(b"%d\t%d\tv%d\t%d.25\t2024-01-%02d 12:00:00+00\n" % (i, i % 7, i % 13, i, 1 + i % 28) for i in range(1, 401))
    others = b"".join(b"%d\t%d\t%d\n" % (i, i * 3 % 500, i % 11) for i in range(1, 901))
    for endpoint in (pair.target, pair.plain):
        with endpoint.raw() as connection:
            connection.execute("COPY a FROM STDIN", rows)
            connection.execute("COPY b FROM STDIN", others)
            connection.execute("INSERT INTO r SELECT i, 'name ' || i FROM generate_series(0, 6) i")
            connection.execute("INSERT INTO l SELECT i, 'local ' || i FROM generate_series(0, 6) i")


JOIN = "SELECT a.id, b.id, b.x, r.name FROM a JOIN b ON b.a_id = a.id JOIN r ON r.id = a.g ORDER BY 1, 2"
QUERIES = [
    JOIN,
    "SELECT count(*) FROM a JOIN b ON b.a_id = a.id",
    "SELECT g, percentile_cont(0.5) WITHIN GROUP (ORDER BY n) FROM a GROUP BY g ORDER BY g",
    "SELECT id, rank() OVER (PARTITION BY g ORDER BY n DESC) FROM a ORDER BY id",
    "SELECT v, count(*) FROM a WHERE id IN (SELECT a_id FROM b WHERE x > 5) GROUP BY v ORDER BY v",
    "WITH big AS (SELECT * FROM a WHERE n > 20) SELECT count(*), max(at) FROM big JOIN b USING (id)",
    "SELECT a.id, l.v FROM a JOIN l ON l.id = a.g WHERE a.n < 10 ORDER BY a.id",
    "SELECT id FROM a EXCEPT SELECT a_id FROM b ORDER BY 1",
    "SELECT a.*, b.x FROM a LEFT JOIN b ON b.a_id = a.id AND b.x = 3 ORDER BY a.id, b.id",
    "SELECT string_agg(v, ',' ORDER BY id) FROM a",
]


class Workbench(unittest.TestCase):
    def setUp(self):
        self.session = compare.Comparison(pair)
        self.addCleanup(self.session.close)

    def same(self, sql, **options):
        found = self.session.simple(sql, **options)
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_answers_equal_those_of_one_server(self):
        for sql in QUERIES:
            with self.subTest(sql):
                found = self.session.all_ways(sql)
                self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_parameters(self):
        sql = "SELECT a.id, b.id FROM a JOIN b ON b.a_id = a.id WHERE a.n > $1 AND b.x < $2 AND a.v <> $3 ORDER BY 1, 2"
        for binary in (False, True):
            found = self.session.extended(sql, ["20", "4", "v3"], binary=binary)
            self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_row_limit_of_a_portal(self):
        for endpoint in (self.session.target, self.session.plain):
            endpoint.send(raw.parse(JOIN), raw.bind(), raw.execute(rows=10), raw.execute(rows=5), raw.sync())
            self.assertEqual(endpoint.kinds(), "12" + "D" * 10 + "s" + "D" * 5 + "sZ")

    def test_own_writes_are_seen(self):
        for begin in ("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ"):
            self.same(begin)
            self.same("INSERT INTO a VALUES (1001, 1, 'own', 1, NULL)")
            self.same("INSERT INTO b VALUES (1002, 1001, 5)")
            self.same("SELECT a.v, b.x FROM a JOIN b ON b.a_id = a.id WHERE a.id > 1000")
            self.same(JOIN)
            self.same("ROLLBACK")
        self.same(JOIN)

    def test_several_in_one_transaction(self):
        self.same("BEGIN")
        for sql in QUERIES[:5]:
            self.same(sql)
        self.same("COMMIT")

    def test_settings_of_the_session_count(self):
        self.same("SET timezone TO 'Asia/Tokyo'")
        self.same("SET datestyle TO 'SQL, DMY'")
        self.same("SELECT a.at, b.id FROM a JOIN b ON b.a_id = a.id WHERE a.id < 20 ORDER BY b.id")
        self.same("RESET timezone")
        self.same("RESET datestyle")
        self.same("SELECT a.at, b.id FROM a JOIN b ON b.a_id = a.id WHERE a.id < 20 ORDER BY b.id")
        self.same("BEGIN; SET LOCAL timezone TO 'America/Lima'")
        self.same("SELECT a.at, b.id FROM a JOIN b ON b.a_id = a.id WHERE a.id < 20 ORDER BY b.id")
        self.same("COMMIT")

    def test_who_one_is(self):
        self.same("SELECT DISTINCT current_user, session_user, b.x FROM a JOIN b ON b.a_id = a.id WHERE a.id = 3 ORDER BY 3")

    def test_errors_are_postgresqls_and_leave_nothing(self):
        for sql, code in (("SELECT 1 / (b.x - b.x) FROM a JOIN b ON b.a_id = a.id", "22012"),
                          ("SELECT a.id, b.nope FROM a JOIN b ON b.a_id = a.id", "42703")):
            codes = [endpoint.query(sql)[-1].code for endpoint in (self.session.target, self.session.plain)]
            self.assertEqual(codes, [code, code], sql)
            self.same("SELECT count(*) FROM a JOIN b ON b.a_id = a.id")
        self.same("BEGIN")
        self.same("SAVEPOINT s")
        self.assertEqual(self.session.target.query("SELECT 1 / (b.x - b.x) FROM a JOIN b ON b.a_id = a.id")[-1].code, "22012")
        self.assertEqual(self.session.plain.query("SELECT 1 / (b.x - b.x) FROM a JOIN b ON b.a_id = a.id")[-1].code, "22012")
        self.same("ROLLBACK TO s")
        self.same("SELECT count(*) FROM a JOIN b ON b.a_id = a.id")
        self.same("COMMIT")

    def test_copy_of_a_merged_query(self):
        self.same("COPY (" + JOIN + ") TO STDOUT", ordered=True)
        self.same("COPY (SELECT g, v, at FROM a ORDER BY v, id LIMIT 20) TO STDOUT WITH (FORMAT csv, HEADER)", ordered=True)
        copied = [endpoint.query("COPY (SELECT a.id FROM a JOIN b USING (id) ORDER BY 1) TO STDOUT (FORMAT binary)")[-1].copied
                  for endpoint in (self.session.target, self.session.plain)]
        self.assertEqual(copied[0], copied[1])
        self.assertTrue(copied[0].startswith(b"PGCOPY\n\xff\r\n\0" + struct.pack("!II", 0, 0)))

    def test_side_by_side(self):
        expected = self.session.plain.value("SELECT count(*) FROM a JOIN b ON b.a_id = a.id")
        found = []

        def ask():
            with pair.target.raw() as connection:
                for _ in range(10):
                    found.append(connection.value("SELECT count(*) FROM a JOIN b ON b.a_id = a.id"))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertEqual(found, [expected] * 80)

    def test_cancel(self):
        if cluster.ON_PLAIN:
            self.skipTest("pgmosaic's own")
        with pair.target.connect() as connection, connection.cursor() as cursor:
            timer = threading.Timer(1.0, connection.cancel)
            timer.start()
            with self.assertRaises(Exception) as caught:
                cursor.execute("SELECT count(*) FROM a JOIN b ON b.a_id = a.id, LATERAL (SELECT pg_sleep(b.x * 0 + 30)) s")
            self.assertEqual(caught.exception.pgcode, "57014")
        self.same("SELECT count(*) FROM a JOIN b ON b.a_id = a.id")


if __name__ == "__main__":
    unittest.main()
